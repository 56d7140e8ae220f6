"""Resampling of maps from one grid of cells to another: the only place where maps are resized."""

from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor

Size = tuple[int, int]  # height and width

BEYOND = 1e-9  # weight of a pixel outside the image in a mean over pixels


class Axis(NamedTuple):
    """The cells along one side; the centre of cell i is at image pixel `offset + stride * i`."""

    stride: float
    offset: float
    length: int


class Grid(NamedTuple):
    """The positions of a map's cells in an image.

    `torch.nn.functional.interpolate` knows two kinds of grid: even and cornered ones. Between two
    grids of the same kind it gives the result that is wanted. Pixels are a grid of both kinds.

    Attributes:
        rows: The cells along the height.
        columns: The cells along the width.
        is_even: Whether the cells divide the image evenly, which `interpolate` assumes without
            `align_corners`.
        is_cornered: Whether the centres of the outermost cells are the outermost pixels, which
            `interpolate` assumes with `align_corners`.
    """

    rows: Axis
    columns: Axis
    is_even: bool = False
    is_cornered: bool = False

    @property
    def size(self) -> Size:
        """Height and width in cells."""
        return self.rows.length, self.columns.length


def pixels(size: Size) -> Grid:
    """Returns the grid of an image's pixels."""
    rows, columns = (Axis(1.0, 0.0, side) for side in size)
    return Grid(rows, columns, is_even=True, is_cornered=True)


def even(image: Size, size: Size) -> Grid:
    """Returns a grid of `size` cells that divide an image evenly, as a resized copy's pixels do."""
    strides = [side / count for side, count in zip(image, size, strict=True)]
    rows, columns = (
        Axis(stride, (stride - 1) / 2, count) for stride, count in zip(strides, size, strict=True)
    )
    return Grid(rows, columns, is_even=True)


def cornered(image: Size, size: Size) -> Grid:
    """Returns a grid of `size` cells, with its corners on the corner pixels of an image."""
    rows, columns = (
        Axis((side - 1) / max(count - 1, 1) or 1.0, 0.0, count)
        for side, count in zip(image, size, strict=True)
    )
    return Grid(rows, columns, is_cornered=True)


def spaced(image: Size, *, stride: int, offset: float) -> Grid:
    """Returns the cells that cover an image, `stride` pixels apart, the first on pixel `offset`."""
    rows, columns = (Axis(stride, offset, ceil_div(side, stride)) for side in image)
    return Grid(rows, columns)


def within(grid: Grid, copy: Grid) -> Grid:
    """Converts a grid over a copy of an image into one over the image itself.

    Args:
        grid: Positions in pixels of the copy.
        copy: Positions of the copy's pixels in the image.
    """
    rows, columns = (
        Axis(axis.stride * to.stride, to.offset + axis.offset * to.stride, axis.length)
        for axis, to in zip(grid[:2], copy[:2], strict=True)
    )
    return Grid(rows, columns, grid.is_even and copy.is_even, grid.is_cornered and copy.is_cornered)


def resample(maps: Tensor, source: Grid, target: Grid) -> Tensor:
    """Interpolates maps bilinearly at the cells of another grid over the same image.

    Computes in single precision also under autocast. In [0.5, 1], bf16 has steps of 0.002 to 0.004.
    The differences of neighbours, on which the smoothness loss works, are of the same size.

    Args:
        maps: [B, C, *source.size], any range.
        source: The grid of the maps.
        target: The grid of the result. Beyond the outermost cells of `source`, their values
            continue.

    Returns:
        [B, C, *target.size]; float64 for float64 maps, float32 otherwise.
    """
    _expect_cells(maps, source)
    precise = (maps if maps.dtype == torch.float64 else maps.float()).contiguous()
    if source.is_even and target.is_even:
        return F.interpolate(precise, target.size, mode="bilinear", align_corners=False)
    if source.is_cornered and target.is_cornered:
        return F.interpolate(precise, target.size, mode="bilinear", align_corners=True)
    return _sample(precise, source, target, beyond="border")


def pick(maps: Tensor, source: Grid, target: Grid) -> Tensor:
    """Takes the nearest value, unchanged, for each cell of another grid over the same image.

    Args:
        maps: [..., *source.size], of any type.
        source: The grid of the maps.
        target: The grid of the result.

    Returns:
        [..., *target.size].
    """
    _expect_cells(maps, source)
    rows, columns = (
        (positions + 0.5).floor().long().clamp(0, count - 1)
        for positions, count in zip(_positions(maps, source, target), source.size, strict=True)
    )
    return maps[..., rows[:, None], columns]


def pool(maps: Tensor, source: Grid, target: Grid) -> Tensor:
    """Averages maps over a square around each cell of a coarser grid over the same image.

    Args:
        maps: float [B, C, *source.size].
        source: The grid of the maps.
        target: The grid of the result; its stride is a multiple of the stride of `source`.

    Returns:
        [B, C, *target.size]. A square at the image's edge is averaged over its part inside the
        image. A square outside the image takes the values at the edge.
    """
    _expect_cells(maps, source)
    factor = round(target.rows.stride / source.rows.stride)
    parts = Grid(_split(target.rows, factor), _split(target.columns, factor))
    if parts[:2] == source[:2]:
        return F.avg_pool2d(maps, factor)
    inside = _sample(torch.ones_like(maps[:1, :1]), source, parts, beyond="zeros")
    weight = inside.clamp(min=BEYOND)
    total = F.avg_pool2d(_sample(maps, source, parts, beyond="border") * weight, factor)
    return total / F.avg_pool2d(weight, factor)


def _expect_cells(maps: Tensor, grid: Grid) -> None:
    if not torch.compiler.is_exporting():  # sizes are symbolic during an export
        found = tuple(maps.shape[-2:])
        assert found == grid.size, f"maps of {found} cells; expected {grid.size}"


def _split(axis: Axis, factor: int) -> Axis:
    """Splits each cell into `factor` cells."""
    stride = axis.stride / factor
    return Axis(stride, axis.offset - (factor - 1) / 2 * stride, axis.length * factor)


def _sample(maps: Tensor, source: Grid, target: Grid, *, beyond: str) -> Tensor:
    rows, columns = (
        # `grid_sample` counts positions so that the cells cover the range from -1 to 1.
        (2 * positions + 1) / count - 1
        for positions, count in zip(_positions(maps, source, target), source.size, strict=True)
    )
    down, across = torch.meshgrid(rows, columns, indexing="ij")
    where = torch.stack((across, down), dim=-1).expand(maps.shape[0], -1, -1, -1)
    return F.grid_sample(maps, where, padding_mode=beyond, align_corners=False)


def _positions(maps: Tensor, source: Grid, target: Grid) -> list[Tensor]:
    """Returns the rows and columns of the target's cells, measured in cells of the source."""
    dtype = torch.float64 if maps.dtype == torch.float64 else torch.float32
    return [
        (
            torch.arange(to.length, device=maps.device, dtype=dtype) * to.stride
            + to.offset
            - of.offset
        )
        / of.stride
        for of, to in zip(source[:2], target[:2], strict=True)
    ]


def ceil_div(number: int, divisor: int) -> int:
    """Divides and rounds up, also in ONNX, which would round -(-number // divisor) down."""
    return (number + divisor - 1) // divisor
