"""Losses of SEAM (Wang et al., CVPR 2020), on which the paper's objective L_b stands.

Letters: B images, K foreground classes, C = K + 1 with background first, H W pixels.
"""

from typing import Literal

import torch
from torch import Tensor

from wsss_core.losses.shapes import expect_shape
from wsss_core.ops.cam import keep_strongest

EcrBackground = Literal["everywhere", "where_strongest"]


def adaptive_min_loss(strongest: Tensor) -> Tensor:
    """Mean of the quarter of pixels where the present classes respond least (train_SEAM.py).

    Keeps the refined CAM from covering the whole image.

    Args:
        strongest: [B, H, W], the highest refined CAM of the present classes, not normalised; 0
            where there is none.

    Returns:
        Scalar.
    """
    pixels = strongest.flatten(1)
    smallest = pixels.topk(max(1, pixels.shape[1] // 4), dim=1, largest=False).values
    return smallest.relu().mean()


def equivariance_loss(cam: Tensor, other_cam: Tensor) -> Tensor:
    """ER: mean absolute difference of the CAMs of two scales, brought to one size.

    Args:
        cam: [B, K, H, W] in [0, 1], absent classes zero.
        other_cam: The same of the other scale.

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
        target: The other scale's CAM, likewise; no gradient flows into it. Only its strongest
            class per pixel counts.
        top_fraction: Share in (0, 1] of each image's C * H * W elements that enters the mean.
        background: Where the target has a background: "everywhere" beside the strongest class
            (SEAM, train_SEAM.py), or only "where_strongest", and no class there.

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
