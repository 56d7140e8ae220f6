"""Semantic boundaries of label maps."""

import torch.nn.functional as F
from torch import Tensor

IGNORE = 255


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
    ignored = ids == IGNORE
    one_hot = F.one_hot(ids.masked_fill(ignored, num_classes), num_classes + 1)
    regions = one_hot.permute(0, 3, 1, 2).float()
    grown = _dilate(regions, radius)
    shrunk = 1 - _dilate(1 - regions, radius)
    band = grown[:, :num_classes] - shrunk[:, :num_classes]
    return band * (1 - grown[:, num_classes:])


def _dilate(regions: Tensor, radius: int) -> Tensor:
    """Maximum over (2 radius + 1) squares; outside the image counts as its nearest pixel."""
    padded = F.pad(regions, (radius,) * 4, mode="replicate")
    return F.max_pool2d(padded, 2 * radius + 1, stride=1)
