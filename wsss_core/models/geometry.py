"""Where a backbone's feature maps lie in its image, and how they are brought to other grids."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Self

from torch import Tensor

from wsss_core.models.cell_positions import Cells
from wsss_core.ops.grid import Grid, Size, cornered, even, pixels, resample, spaced


@dataclass(frozen=True)
class FeatureGeometry:
    """The cells of F_1..F_n.

    Attributes:
        cells: Image pixels per cell of each, and where the first one lies.
        is_cornered: The maps are taken to be spread from the first pixel of the image to the last,
            and so are smaller copies of the image, as the reference code does with ResNet38d. Its
            cells lie elsewhere: the last one up to 7 pixels before the image's edge.
        margin: Rows of padding that go above the image, and columns of it on its left. The first
            `margin // stride` cells of a map, which lie there, are left out.
    """

    cells: tuple[Cells, ...]
    is_cornered: bool = False
    margin: int = 0

    @classmethod
    def centred(cls, cells: Sequence[Cells]) -> Self:
        """That of a network whose image gets a margin which centres the cells of the last map.

        Where convolutions pad like TensorFlow, the first cell lies almost a stride within the
        image, and the last one at the image's edge: without a margin, nothing would be known of a
        band as wide as a cell. Networks that pad alike have their first cell on the first pixel,
        and no margin.

        Args:
            cells: Where those of F_1..F_n lie in what the network is given.
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
        """Where the cells of F_`stage` (1..n; -1 is the last) of an image of a size are."""
        cells = self.cells[stage - 1 if stage > 0 else stage]
        grid = spaced(image, stride=int(cells.stride), offset=cells.offset)
        return cornered(image, grid.size) if self.is_cornered else grid

    def spread(self, maps: Tensor, image: Size, size: Size) -> Tensor:
        """Brings maps on the cells of F_n to a grid that divides their image evenly.

        Args:
            maps: [B, C, h, w], one value for each cell.
            image: Height and width of the image that the network saw.
            size: Height and width wanted: those of the image, or of another copy of it.

        Returns:
            float32 [B, C, *size].
        """
        source = self.grid(-1, image)
        if self.is_cornered:  # by way of the image's pixels (SEAM, infer_SEAM.py)
            maps, source = resample(maps, source, pixels(image)), pixels(image)
        return resample(maps, source, even(image, size))

    def copy(self, image: Size, size: Size) -> Grid:
        """Where the pixels lie of the smaller copy that `resize` makes of an image."""
        return cornered(image, size) if self.is_cornered else even(image, size)

    def resize(self, image: Tensor, size: Size) -> Tensor:
        """Resizes images, or maps of their pixels: [B, C, H, W] -> float32 [B, C, *size]."""
        sides = image.shape[-2], image.shape[-1]
        return resample(image, pixels(sides), self.copy(sides, size))
