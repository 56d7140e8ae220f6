"""The loss of the segmentation network on pseudo labels."""

import torch
import torch.nn.functional as F
from torch import Tensor

from wsss_core.data.images import IGNORE_INDEX
from wsss_core.losses.shapes import expect_shape


def segmentation_loss(logits: Tensor, mask: Tensor) -> Tensor:
    """Computes the mean cross-entropy over the pixels that are not ignored.

    Differs from the DeepLab-v2 code that the paper names: that code shrinks the mask to the grid of
    the logits, which drops thin parts and boundary pixels at stride 8. Here the logits have the
    size of the mask.

    Args:
        logits: [B, C, H, W], background first.
        mask: [B, H, W] integer class ids in 0..C-1, 255 where there is no target.

    Returns:
        Scalar >= 0; zero, with zero gradients, if all pixels are ignored.
    """
    expect_shape("mask", mask, (len(logits), *logits.shape[-2:]))
    # float32, since bf16 of an autocast region is too coarse for a mean over about 1e5 pixels.
    precise = logits if logits.dtype == torch.float64 else logits.float()
    target = mask.long()
    total = F.cross_entropy(precise, target, ignore_index=IGNORE_INDEX, reduction="sum")
    return total / (target != IGNORE_INDEX).sum().clamp(min=1)
