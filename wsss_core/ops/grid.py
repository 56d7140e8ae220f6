"""Bringing maps from one grid of cells to another: the one place where maps are resized."""

from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor

Size = tuple[int, int]  # height and width

BEYOND = 1e-9  # what a pixel beyond the image's edge counts in a mean over pixels


class Axis(NamedTuple):
    """The cells along one side: cell i is centred on pixel `offset + stride * i` of an image."""

    stride: float
    offset: float
    length: int


class Grid(NamedTuple):
    """The cells of a map.

    Two kinds of grid are what `torch.nn.functional.interpolate` takes any map to have, so that
    between two of a kind it does what is wanted; pixels are of both kinds.

    Attributes:
        rows: Along the height.
        columns: Along the width.
        is_even: The cells divide the image evenly (there, without `align_corners`).
        is_cornered: The first and the last cells lie on the first and last pixels (with it).
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
    """The pixels of an image."""
    rows, columns = (Axis(1.0, 0.0, side) for side in size)
    return Grid(rows, columns, is_even=True, is_cornered=True)


def even(image: Size, size: Size) -> Grid:
    """A grid of some size whose cells divide an image evenly, as pixels of a smaller copy do."""
    strides = [side / count for side, count in zip(image, size, strict=True)]
    rows, columns = (
        Axis(stride, (stride - 1) / 2, count) for stride, count in zip(strides, size, strict=True)
    )
    return Grid(rows, columns, is_even=True)


def cornered(image: Size, size: Size) -> Grid:
    """A grid of some size, spread from the first pixel of an image to the last."""
    rows, columns = (
        Axis((side - 1) / max(count - 1, 1) or 1.0, 0.0, count)
        for side, count in zip(image, size, strict=True)
    )
    return Grid(rows, columns, is_cornered=True)


def spaced(image: Size, *, stride: int, offset: float) -> Grid:
    """As many cells as it takes to cover an image, the first centred on pixel `offset`."""
    rows, columns = (Axis(stride, offset, ceil_div(side, stride)) for side in image)
    return Grid(rows, columns)


def within(grid: Grid, copy: Grid) -> Grid:
    """A grid over the copy of an image, in pixels of the image.

    Args:
        grid: In pixels of the copy.
        copy: Where the copy's pixels lie in the image.
    """
    rows, columns = (
        Axis(axis.stride * to.stride, to.offset + axis.offset * to.stride, axis.length)
        for axis, to in zip(grid[:2], copy[:2], strict=True)
    )
    return Grid(rows, columns, grid.is_even and copy.is_even, grid.is_cornered and copy.is_cornered)


def resample(maps: Tensor, source: Grid, target: Grid) -> Tensor:
    """Reads maps bilinearly where the cells of another grid over the same image lie.

    Computes in single precision inside of autocast, too: bf16 has steps of 0.002 to 0.004 in
    [0.5, 1], as large as the differences of neighbours that the smoothness loss is about.

    Args:
        maps: [B, C, *source.size], any range.
        source: Where their cells lie.
        target: Where the cells wanted lie; beyond the outermost cells, their values go on.

    Returns:
        [B, C, *target.size]; float32, or float64 of such maps.
    """
    _expect_cells(maps, source)
    precise = (maps if maps.dtype == torch.float64 else maps.float()).contiguous()
    if source.is_even and target.is_even:
        return F.interpolate(precise, target.size, mode="bilinear", align_corners=False)
    if source.is_cornered and target.is_cornered:
        return F.interpolate(precise, target.size, mode="bilinear", align_corners=True)
    return _sample(precise, source, target, beyond="border")


def pick(maps: Tensor, source: Grid, target: Grid) -> Tensor:
    """Takes of each cell of another grid over the same image the value nearest to it, as it is.

    Args:
        maps: [..., *source.size], of any type.
        source: Where their cells lie.
        target: Where the cells wanted lie.

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
    """Averages maps over the square around each cell of a coarser grid over the same image.

    Args:
        maps: float [B, C, *source.size].
        source: Where their cells lie.
        target: Where the cells wanted lie; its stride is a multiple of the source's.

    Returns:
        [B, C, *target.size]. At the image's edge, the mean of what lies inside of the image; of a
        square that lies outside, what is at the edge.
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
    if not torch.compiler.is_exporting():  # there, sizes are not known
        found = tuple(maps.shape[-2:])
        assert found == grid.size, f"maps of {found} cells; expected {grid.size}"


def _split(axis: Axis, factor: int) -> Axis:
    """`factor` cells in place of each."""
    stride = axis.stride / factor
    return Axis(stride, axis.offset - (factor - 1) / 2 * stride, axis.length * factor)


def _sample(maps: Tensor, source: Grid, target: Grid, *, beyond: str) -> Tensor:
    rows, columns = (
        # As `grid_sample` counts, by which the cells cover the range from -1 to 1.
        (2 * positions + 1) / count - 1
        for positions, count in zip(_positions(maps, source, target), source.size, strict=True)
    )
    down, across = torch.meshgrid(rows, columns, indexing="ij")
    where = torch.stack((across, down), dim=-1).expand(maps.shape[0], -1, -1, -1)
    return F.grid_sample(maps, where, padding_mode=beyond, align_corners=False)


def _positions(maps: Tensor, source: Grid, target: Grid) -> list[Tensor]:
    """Rows and columns of the target, in cells of the source."""
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
    """Number / divisor, rounded up; in ONNX, -(-number // divisor) would be rounded down."""
    return (number + divisor - 1) // divisor
