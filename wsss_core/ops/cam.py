"""Algebra of class activation maps (CAMs).

Letters: B images, K foreground classes, C = K + 1 channels with background first, H x W pixels.
"""

import torch
from torch import Tensor

EPS = 1e-5


def normalize_cam(cam: Tensor) -> Tensor:
    """Scales each class of each image to [0, 1] by its minimum and maximum (SEAM's max_norm).

    Args:
        cam: [..., H, W], any range; negative scores count as 0.

    Returns:
        [..., H, W] in [0, 1]; all zero where a class is nowhere positive.
    """
    cam = cam.relu()
    low, high = cam.amin((-2, -1), keepdim=True), cam.amax((-2, -1), keepdim=True)
    return (cam - low - EPS).relu() / (high - low + EPS)


def share_of_maximum(cam: Tensor) -> Tensor:
    """Divides each class of each image by its maximum; no gradient flows through the maximum.

    Args:
        cam: [..., H, W], any range; negative scores count as 0.

    Returns:
        [..., H, W] in [0, 1]; all zero where a class is nowhere positive.
    """
    cam = cam.relu()
    return cam / cam.detach().amax((-2, -1), keepdim=True).clamp(min=EPS)


def add_background(cam: Tensor) -> Tensor:
    """Puts a background channel before the classes: 1 minus the highest class score.

    Args:
        cam: [B, K, H, W] in [0, 1].

    Returns:
        [B, K+1, H, W] in [0, 1].
    """
    return torch.cat([1 - cam.amax(1, keepdim=True), cam], dim=1)


def keep_strongest(score: Tensor) -> Tensor:
    """Keeps the value of each pixel's largest channel and sets its other channels to 0.

    Args:
        score: [B, C, H, W], not negative. It is not changed; the reference implementation
            overwrites its argument.

    Returns:
        [B, C, H, W]; where several channels are the largest, all of them stay.
    """
    return torch.where(score == score.amax(1, keepdim=True), score, torch.zeros_like(score))


def foreground_score(cam_logits: Tensor, label: Tensor) -> Tensor:
    """Computes how far the scores of present classes rise above their minimum, as a class mean.

    The scores are sigmoids, as in the smoothness loss. If the weight of that loss is too high, the
    CAM collapses (paper, Table VI): the smoothest map is a constant map of any value. Measured on
    the demo dataset with 0, 0.1, 1, 10 and 100 times the loss, this score is 0.65, 0.62, 0.49, 0.21
    and 0.03, and the mIoU of the CAM is 34, 34, 34, 25 and 23. The mean of the scores does not show
    the collapse: it is 0.66 without the loss and with 100 times the loss.

    Args:
        cam_logits: [B, K, H, W], any range.
        label: [B, K] in {0, 1}.

    Returns:
        A scalar in [0, 1]; 1 if no class is present, since there is no flat map then.
    """
    score = cam_logits.float().sigmoid()
    flatness = 1 - (score.amax((-2, -1)) - score.amin((-2, -1)))
    return 1 - (flatness * label).sum() / label.sum().clamp(min=1)
