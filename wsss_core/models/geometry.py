"""Where a backbone's feature maps lie in its image, and how they are brought to other grids."""

from dataclasses import dataclass

from torch import Tensor

from wsss_core.models.cell_positions import Cells
from wsss_core.ops.grid import Grid, Size, cornered, even, pixels, resample, spaced


@dataclass(frozen=True)
class Geometry:
    """The cells of F_1..F_n.

    Attributes:
        cells: Image pixels per cell of each, and where the first one lies.
        is_cornered: The maps are taken to be spread from the first pixel of the image to the last,
            and so are smaller copies of the image, as the reference code does with ResNet38d. Its
            cells lie elsewhere: the last one up to 7 pixels before the image's edge.
    """

    cells: tuple[Cells, ...]
    is_cornered: bool = False

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
