"""Bringing maps from one grid of cells or pixels to another."""

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor


def resize_maps(maps: Tensor, size: tuple[int, int], *, align_corners: bool) -> Tensor:
    """Brings maps [B, C, h, w] to the size of their losses, and out of autocast's bf16.

    That has steps of 0.002 to 0.004 in [0.5, 1]: as large as the differences between neighbouring
    pixels that the smoothness loss is about.

    Args:
        maps: Any range.
        size: Height and width wanted.
        align_corners: As `Backbone.align_corners` says.

    Returns:
        float32 [B, C, *size], bilinear.
    """
    return F.interpolate(
        maps.float().contiguous(), size, mode="bilinear", align_corners=align_corners
    )


def resample(
    maps: Tensor,
    *,
    covered: Sequence[int],
    stride: int,
    grid: tuple[int, int],
    align_corners: bool = False,
) -> Tensor:
    """Resamples feature-grid maps onto a grid over the image.

    Where cell i is centred on its stride x stride pixels, the last cells may stick out of the
    image. Resizing the maps to the grid's size would squeeze in those cells, and shift the others
    by as much as half a cell, to a different amount at each scale.

    Args:
        maps: [B, C, h, w], a cell for each stride x stride pixels.
        covered: Height and width of the image in these pixels.
        stride: See above.
        grid: Height and width of the grid.
        align_corners: Cells spread from the first pixel to the last instead (ResNet38d; SEAM,
            infer_SEAM.py), as `Backbone.align_corners` says.

    Returns:
        [B, C, *grid], bilinear, pixel centres aligned.
    """
    if align_corners:
        maps = F.interpolate(maps, tuple(covered), mode="bilinear", align_corners=True)
        return F.interpolate(maps, grid, mode="bilinear", align_corners=False)
    rows, columns = (
        linear_weights(
            length, num_cells=num_cells, step=side / (length * stride), device=maps.device
        )
        for length, num_cells, side in zip(grid, maps.shape[-2:], covered, strict=True)
    )
    return rows.to(maps) @ maps @ columns.to(maps).T


def linear_weights(length: int, *, num_cells: int, step: float, device: torch.device) -> Tensor:
    """Weights of `num_cells` cells in each of `length` values, `step` cells apart from each other.

    `torch.nn.functional.interpolate` would do it but for one case: it copies the cells where as
    many values are asked for, however far apart.
    """
    values, cells = torch.arange(length, device=device), torch.arange(num_cells, device=device)
    centres = ((values + 0.5) * step - 0.5).clamp(0, num_cells - 1)
    return (1 - (centres[:, None] - cells).abs()).clamp(min=0)
