"""Semantic boundaries of label maps."""

import torch.nn.functional as F
from torch import Tensor

from wsss_core.data.images import IGNORE_INDEX


def semantic_boundary(mask: Tensor, *, num_classes: int, radius: int) -> Tensor:
    """Per-class boundary maps: where a class's region grown by `radius` exceeds it shrunk.

    Pixels closer than `radius` to an ignored one are no boundary: where an object really ends
    is unknown there.

    Args:
        mask: [B, H, W] class ids 0..C-1, 255 ignored.
        num_classes: C, with background.
        radius: Half width of the band; it is 2 * radius pixels wide.

    Returns:
        [B, C, H, W] float32 in {0, 1}.
    """
    ids = mask.long()
    one_hot = F.one_hot(ids.masked_fill(ids == IGNORE_INDEX, num_classes), num_classes + 1)
    near = _dilate(one_hot[..., :num_classes].permute(0, 3, 1, 2).float(), radius)
    plane = ids[:, None].float()
    highest, lowest = _dilate(plane, radius), -_dilate(-plane, radius)
    # What is near a class and not all of it, with no ignored pixel around.
    return near * ((highest != lowest) & (highest != IGNORE_INDEX))


def _dilate(regions: Tensor, radius: int) -> Tensor:
    """Maximum over (2 radius + 1) squares; outside the image counts as its nearest pixel."""
    padded = F.pad(regions, (radius,) * 4, mode="replicate")
    return F.max_pool2d(padded, 2 * radius + 1, stride=1)
