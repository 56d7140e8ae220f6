"""Positions of a backbone's feature maps in the image, and resizing of maps to other grids."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Self

from torch import Tensor

from wsss_core.models.cell_positions import Cells
from wsss_core.ops.grid import Grid, Size, cornered, even, pixels, resample, spaced


@dataclass(frozen=True)
class FeatureGeometry:
    """The positions of the cells of F_1..F_n.

    Attributes:
        cells: Stride and position of the first cell of each map, in image pixels.
        is_cornered: If True, maps and smaller copies of the image are taken to be spread from the
            first to the last pixel of the image, as the reference code does with ResNet38d. This is
            not exact: the real last cell is up to 7 pixels before the edge.
        margin: Number of padding rows above the image, and of padding columns at its left. The
            first `margin // stride` cells of a map are in the margin and are cut off.
    """

    cells: tuple[Cells, ...]
    is_cornered: bool = False
    margin: int = 0

    @classmethod
    def centred(cls, cells: Sequence[Cells]) -> Self:
        """Builds a geometry with a margin that centres the cells of the last map in the image.

        If convolutions pad like TensorFlow, the first cell is almost a stride inside the image and
        the last one at its edge. Without a margin, a border as wide as a cell would have no cell.
        If convolutions pad equally on both sides, the first cell is on the first pixel and there is
        no margin.

        Args:
            cells: Positions of the cells of F_1..F_n in the input of the network.
        """
        last = cells[-1]
        margin = max(0, int(last.offset - (last.stride - 1) / 2 + 0.5))
        return cls(
            tuple(c._replace(offset=c.offset - margin % c.stride) for c in cells), margin=margin
        )

    @property
    def strides(self) -> tuple[int, ...]:
        """Image pixels per cell of F_1..F_n."""
        return tuple(int(cells.stride) for cells in self.cells)

    def grid(self, stage: int, image: Size) -> Grid:
        """Returns the cell positions of F_`stage` (1..n; -1: the last) for an image size."""
        cells = self.cells[stage - 1 if stage > 0 else stage]
        grid = spaced(image, stride=int(cells.stride), offset=cells.offset)
        return cornered(image, grid.size) if self.is_cornered else grid

    def spread(self, maps: Tensor, image: Size, size: Size) -> Tensor:
        """Resizes maps from the cells of F_n to the pixels of the image or of a copy of it.

        Args:
            maps: [B, C, h, w], one value per cell of F_n.
            image: Height and width of the input image.
            size: Height and width of the result: those of the image, or of a copy.

        Returns:
            float32 [B, C, *size].
        """
        source = self.grid(-1, image)
        if self.is_cornered:  # first to the image's pixels, as SEAM (infer_SEAM.py)
            maps, source = resample(maps, source, pixels(image)), pixels(image)
        return resample(maps, source, even(image, size))

    def copy(self, image: Size, size: Size) -> Grid:
        """Returns the pixel positions of the smaller copy that `resize` makes of an image."""
        return cornered(image, size) if self.is_cornered else even(image, size)

    def resize(self, image: Tensor, size: Size) -> Tensor:
        """Resizes images, or maps with their size: [B, C, H, W] -> float32 [B, C, *size]."""
        sides = image.shape[-2], image.shape[-1]
        return resample(image, pixels(sides), self.copy(sides, size))
