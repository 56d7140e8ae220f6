"""A backbone of two convolutions that stands for a real one."""

from torch import Tensor, nn

from wsss_core.models.backbone import Backbone
from wsss_core.models.cell_positions import Cells
from wsss_core.models.geometry import FeatureGeometry


class _Cells(nn.Module):
    """Two feature maps, of strides 4 and 8."""

    def __init__(self) -> None:
        super().__init__()
        self.first = nn.Conv2d(3, 4, 4, stride=4)
        self.second = nn.Conv2d(4, 6, 2, stride=2)

    def forward(self, image: Tensor) -> list[Tensor]:
        first = self.first(image).relu()
        return [first, self.second(first).relu()]


def tiny_backbone(*, is_cornered: bool = True) -> Backbone:
    """F_1 and F_2 with 4 and 6 channels at strides 4 and 8, freshly initialised.

    Each cell sees just its own pixels; that the maps are spread to the corners, all the same, is
    what those of ResNet38d are taken to be.
    """
    return Backbone(
        _Cells(),
        channels=(4, 6),
        geometry=FeatureGeometry((Cells(4, 1.5), Cells(8, 3.5)), is_cornered=is_cornered),
        mean=(0.5,) * 3,
        std=(0.25,) * 3,
        multiple=8,
    )
