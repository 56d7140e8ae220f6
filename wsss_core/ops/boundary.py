"""Semantic boundaries of label maps."""

import torch
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
    if mask.device.type == "cpu":  # a GPU would have to be waited for
        highest_id = int(mask.masked_fill(mask == IGNORE_INDEX, 0).max())
        assert highest_id < num_classes, f"class {highest_id}; expected less than {num_classes}"
    plane = mask[:, None].float()
    classes = torch.arange(num_classes, device=mask.device)[:, None, None]
    near = _dilate((plane == classes).float(), radius)
    highest, lowest = _dilate(plane, radius), -_dilate(-plane, radius)
    # What is near a class and not all of it, with no ignored pixel around.
    return near * ((highest != lowest) & (highest != IGNORE_INDEX))


def _dilate(regions: Tensor, radius: int) -> Tensor:
    """Maximum over (2 radius + 1) squares; outside the image counts as its nearest pixel."""
    padded = F.pad(regions, (radius,) * 4, mode="replicate")
    return F.max_pool2d(padded, 2 * radius + 1, stride=1)
