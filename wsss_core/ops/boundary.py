"""Semantic boundaries of label maps."""

import torch
import torch.nn.functional as F
from torch import Tensor

from wsss_core.data.images import IGNORE_INDEX


def semantic_boundary(mask: Tensor, *, num_classes: int, radius: int) -> Tensor:
    """Computes a boundary map per class: its region dilated by `radius`, minus it eroded.

    Pixels closer than `radius` to an ignored pixel are not boundary, because the true end of the
    object is unknown there.

    Args:
        mask: [B, H, W] class ids 0..C-1, 255 ignored.
        num_classes: C, with background.
        radius: Half the width of the band, in pixels; the band is 2 * radius pixels wide.

    Returns:
        [B, C, H, W] float32 in {0, 1}.
    """
    if mask.device.type == "cpu":  # on a GPU, the check would wait for the device
        highest_id = int(mask.masked_fill(mask == IGNORE_INDEX, 0).max())
        assert highest_id < num_classes, f"class {highest_id}; expected less than {num_classes}"
    plane = mask[:, None].float()
    classes = torch.arange(num_classes, device=mask.device)[:, None, None]
    near = _dilate((plane == classes).float(), radius)
    highest, lowest = _dilate(plane, radius), -_dilate(-plane, radius)
    # The boundary of a class: pixels near it, with several classes and no ignored pixel around.
    return near * ((highest != lowest) & (highest != IGNORE_INDEX))


def _dilate(regions: Tensor, radius: int) -> Tensor:
    """Takes the maximum over squares of side 2 * radius + 1; edge pixels are repeated outside."""
    padded = F.pad(regions, (radius,) * 4, mode="replicate")
    return F.max_pool2d(padded, 2 * radius + 1, stride=1)
