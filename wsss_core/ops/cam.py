"""Algebra of class activation maps (CAMs).

Letters: B images, K foreground classes, C = K + 1 with background first, H W pixels.
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
    """Divides each class of each image by its maximum, which is held constant.

    Args:
        cam: [..., H, W], any range; negative scores count as 0.

    Returns:
        [..., H, W] in [0, 1]; all zero where a class is nowhere positive.
    """
    cam = cam.relu()
    return cam / cam.detach().amax((-2, -1), keepdim=True).clamp(min=EPS)


def add_background(cam: Tensor) -> Tensor:
    """Puts a background score before the classes: 1 minus the strongest class.

    Args:
        cam: [B, K, H, W] in [0, 1].

    Returns:
        [B, K+1, H, W] in [0, 1].
    """
    return torch.cat([1 - cam.amax(1, keepdim=True), cam], dim=1)


def keep_strongest(score: Tensor) -> Tensor:
    """Zeroes all channels of a pixel but the largest, which keeps its value.

    Args:
        score: [B, C, H, W] not negative. Not changed, unlike in the reference, whose function of
            this purpose overwrites its argument.

    Returns:
        [B, C, H, W]; where several channels are the largest, all of them stay.
    """
    return torch.where(score == score.amax(1, keepdim=True), score, torch.zeros_like(score))


def foreground_score(cam_logits: Tensor, label: Tensor) -> Tensor:
    """How far the score of a present class rises above its own lowest, as a mean over classes.

    Scores are sigmoids, which the smoothness loss works on. Where its weight is too high the CAM
    collapses (paper, Table VI): the smoothest map is a flat one, and may be flat at any height. On
    the demo, 0, 0.1, 1, 10 and 100 times that loss end at 0.65, 0.62, 0.49, 0.21 and 0.03, and the
    CAM's mIoU at 34, 34, 34, 25 and 23; the scores' mean is 0.66 in the first and in the last.

    Args:
        cam_logits: [B, K, H, W].
        label: [B, K] in {0, 1}.

    Returns:
        A scalar in [0, 1]; 1 where no class is present, for then none is flat.
    """
    score = cam_logits.float().sigmoid()
    flatness = 1 - (score.amax((-2, -1)) - score.amin((-2, -1)))
    return 1 - (flatness * label).sum() / label.sum().clamp(min=1)
