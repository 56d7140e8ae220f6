"""DeepLab: a backbone and a head that classifies its cells, over one or more scales.

Letters: B batch, C classes (background first), D channels, R rates, H W image, h w feature map.
"""

from collections.abc import Sequence
from functools import reduce
from typing import cast

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torchvision.models.segmentation.deeplabv3 import DeepLabHead

from wsss_core.config.segmenter import SegmenterConfig
from wsss_core.models.backbone import Backbone, Loader, build_backbone
from wsss_core.models.large_fov import LargeFov
from wsss_core.ops.grid import even, pixels, resample, within


class Aspp(nn.Module):
    """Sum of parallel 3x3 convolutions with different dilations (DeepLab-v2, section 3.2).

    Parameters are those of R ordinary convolutions. They are evaluated as one matrix product,
    which gives each cell's contribution to each of the 9R taps, and R shifted sums (`fold`):
    the same numbers, and a backward pass that takes a quarter of the time on a CPU where the
    dilations are wide, since no convolution of few channels and large padding is left.
    """

    def __init__(self, channels: int, num_classes: int, *, rates: tuple[int, ...]) -> None:
        super().__init__()
        self.rates = rates
        branches = [
            nn.Conv2d(channels, num_classes, 3, padding=rate, dilation=rate) for rate in rates
        ]
        for branch in branches:
            nn.init.normal_(branch.weight, std=0.01)
            nn.init.zeros_(cast(Tensor, branch.bias))
        self.branches = nn.ModuleList(branches)

    def forward(self, x: Tensor) -> Tensor:
        """Features [B, D, h, w] -> logits [B, C, h, w]."""
        branches = [cast(nn.Conv2d, branch) for branch in self.branches]
        # A convolution gathers from p + tap, fold scatters to p - tap: hence the flip.
        weight = torch.stack([branch.weight.flip(2, 3) for branch in branches])
        weight = weight.permute(0, 1, 3, 4, 2).flatten(0, 3)  # [R * C * 9, D]
        taps = (weight @ x.flatten(2)).float()  # [B, R * C * 9, h * w]
        logits = torch.stack([cast(Tensor, branch.bias) for branch in branches]).sum(dim=0)
        logits = logits.view(1, -1, 1, 1)
        for rate, part in zip(self.rates, taps.chunk(len(self.rates), dim=1), strict=True):
            logits = logits + F.fold(part, x.shape[2:], 3, dilation=rate, padding=rate)
        return logits


class DeepLab(nn.Module):
    """A backbone whose last feature map is classified cell by cell.

    It can look at smaller versions of the image too, and believes whichever is surest (DeepLab-v2's
    multi-scale inputs, MSC).

    Attributes:
        scales: Factors on the image's size, below 1, at which it is looked at again.
    """

    def __init__(
        self, backbone: Backbone, head: nn.Module, *, scales: Sequence[float] = ()
    ) -> None:
        super().__init__()
        self.backbone = backbone
        self.head = head
        self.scales = tuple(scales)

    def forward(self, image: Tensor) -> Tensor:
        """Image [B, 3, H, W] in [0, 1] -> logits [B, C, H / stride, W / stride], rounded up.

        The highest over the scales, for each class by itself.
        """
        return highest(self.at_scales(image))

    def at_scales(self, image: Tensor) -> list[Tensor]:
        """Logits of the image itself and at each of `scales`, all on the grid of the first."""
        return [self._classify(image), *(self._look_again(image, scale) for scale in self.scales)]

    def _look_again(self, image: Tensor, scale: float) -> Tensor:
        """Logits of a smaller copy of the image, on the grid of the image itself."""
        sides = image.shape[-2], image.shape[-1]
        size = max(1, int(scale * sides[0])), max(1, int(scale * sides[1]))
        copy = even(sides, size)
        logits = self._classify(resample(image, pixels(sides), copy))
        geometry = self.backbone.geometry
        return resample(logits, within(geometry.grid(-1, size), copy), geometry.grid(-1, sides))

    def _classify(self, image: Tensor) -> Tensor:
        logits: Tensor = self.head(self.backbone(image)[-1])
        return logits


def highest(logits: Sequence[Tensor]) -> Tensor:
    """Element-wise maximum."""
    return reduce(torch.maximum, logits)


def build_deeplab(
    config: SegmenterConfig, *, num_classes: int, load: Loader | None = None
) -> DeepLab:
    """Builds the segmentation network that a config names.

    Args:
        config: Backbone, head and scales.
        num_classes: C, background included.
        load: Puts ImageNet weights into the backbone; None when a checkpoint follows.
    """
    backbone = build_backbone(config.backbone, load=load)
    head = _build_head(config, backbone.channels[-1], num_classes)
    return DeepLab(backbone, head, scales=config.multi_scale)


def _build_head(config: SegmenterConfig, channels: int, num_classes: int) -> nn.Module:
    if config.head == "aspp":
        return Aspp(channels, num_classes, rates=config.rates)
    head: nn.Module
    if config.head == "large_fov":
        head = LargeFov(channels, num_classes, rate=config.rates[0])
    else:
        head = DeepLabHead(channels, num_classes, atrous_rates=config.rates)
    for module in head.modules():
        if isinstance(module, nn.BatchNorm2d):
            module.momentum = config.bn_momentum
    return head
