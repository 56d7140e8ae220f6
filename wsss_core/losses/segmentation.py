"""The segmentation network's loss against pseudo labels."""

import torch
import torch.nn.functional as F
from torch import Tensor

from wsss_core.data.images import IGNORE_INDEX
from wsss_core.losses.shapes import expect_shape


def segmentation_loss(logits: Tensor, mask: Tensor, *, align_corners: bool = False) -> Tensor:
    """Mean pixel-wise cross-entropy over the pixels that are not ignored.

    The logits are brought to the mask's size.

    Differs from the DeepLab-v2 code that the paper names: that one shrinks the mask to the
    logits' grid, which drops thin parts and boundary pixels at stride 8.

    Args:
        logits: [B, C, h, w], background first.
        mask: [B, H, W] integer class ids in 0..C-1, 255 where there is no target.
        align_corners: How the logits are resized, as `Backbone.align_corners` says. Without, cell
            i of a grid of stride s covers the pixels s*i .. s*i+s-1, whatever the padding.

    Returns:
        Scalar >= 0; zero, with zero gradients, where every pixel is ignored.
    """
    expect_shape("mask", mask, (len(logits), *mask.shape[-2:]))
    # float32: the mean over some 1e5 pixels is too fine for the bf16 of an autocast region.
    precise = logits if logits.dtype == torch.float64 else logits.float()
    logits = F.interpolate(
        precise, size=mask.shape[-2:], mode="bilinear", align_corners=align_corners
    )
    target = mask.long()
    total = F.cross_entropy(logits, target, ignore_index=IGNORE_INDEX, reduction="sum")
    return total / (target != IGNORE_INDEX).sum().clamp(min=1)
