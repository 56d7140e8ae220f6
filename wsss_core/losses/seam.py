"""Losses of SEAM (Wang et al., CVPR 2020). Together they are L_b of the paper.

Letters: B images, K foreground classes, C = K + 1 with background first, H W pixels.
"""

from typing import Literal

import torch
from torch import Tensor

from wsss_core.losses.shapes import expect_shape
from wsss_core.ops.cam import keep_strongest

EcrBackground = Literal["everywhere", "where_strongest"]


def adaptive_min_loss(strongest: Tensor) -> Tensor:
    """Computes the mean over the quarter of pixels with the lowest response (train_SEAM.py).

    This loss keeps the refined CAM from covering the whole image.

    Args:
        strongest: [B, H, W], at each pixel the highest refined CAM of the present classes, not
            normalised; 0 for an image without classes.

    Returns:
        Scalar.
    """
    pixels = strongest.flatten(1)
    smallest = pixels.topk(max(1, pixels.shape[1] // 4), dim=1, largest=False).values
    return smallest.relu().mean()


def equivariance_loss(cam: Tensor, other_cam: Tensor) -> Tensor:
    """ER: mean absolute difference of the CAMs of two scales, after resizing to one size.

    Args:
        cam: [B, K, H, W] in [0, 1], absent classes zero.
        other_cam: The CAM of the other scale, likewise.

    Returns:
        Scalar in [0, 1].
    """
    expect_shape("other_cam", other_cam, cam.shape)
    return (cam - other_cam).abs().mean()


def cross_refinement_loss(
    refined_cam: Tensor,
    target: Tensor,
    *,
    top_fraction: float,
    background: EcrBackground = "everywhere",
) -> Tensor:
    """ECR: mean of the largest differences between one scale's refined CAM and the other's CAM.

    Args:
        refined_cam: [B, C, H, W] in [0, 1], background first, absent classes zero.
        target: The CAM of the other scale, likewise. It gets no gradient. At each pixel only its
            strongest class counts.
        top_fraction: The mean is over this share, in (0, 1], of the C * H * W elements of each
            image: those with the largest differences.
        background: Where the target has a background score. "everywhere": at each pixel, beside the
            strongest class (SEAM, train_SEAM.py). "where_strongest": only where it is the highest
            score, and then no class has one.

    Returns:
        Scalar in [0, 1].
    """
    expect_shape("target", target, refined_cam.shape)
    target = target.detach()
    if background == "everywhere":
        target = torch.cat([target[:, :1], keep_strongest(target[:, 1:])], dim=1)
    else:
        target = keep_strongest(target)
    difference = (target - refined_cam).abs().flatten(1)
    num_hardest = max(1, int(difference.shape[1] * top_fraction))
    return difference.topk(num_hardest, dim=1).values.mean()
