"""DeepLab: a backbone and a head that classifies each cell, at one or more scales.

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

    It has the parameters of R normal convolutions. But it computes one matrix product, which gives
    the contribution of each cell to each of the 9R taps, and then R shifted sums (`fold`). The
    result is the same. On a CPU with large dilations, the backward pass takes a quarter of the
    time, since convolutions with few channels and large padding are slow.
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
        # Flipped, since a convolution gathers from p + tap, but fold scatters to p - tap.
        weight = torch.stack([branch.weight.flip(2, 3) for branch in branches])
        weight = weight.permute(0, 1, 3, 4, 2).flatten(0, 3)  # [R * C * 9, D]
        taps = (weight @ x.flatten(2)).float()  # [B, R * C * 9, h * w]
        logits = torch.stack([cast(Tensor, branch.bias) for branch in branches]).sum(dim=0)
        logits = logits.view(1, -1, 1, 1)
        for rate, part in zip(self.rates, taps.chunk(len(self.rates), dim=1), strict=True):
            logits = logits + F.fold(part, x.shape[2:], 3, dilation=rate, padding=rate)
        return logits


class DeepLab(nn.Module):
    """A backbone, and a head that classifies each cell of its last feature map.

    The network can also process smaller copies of the image. The highest logit of all scales counts
    (multi-scale inputs of DeepLab-v2, MSC).

    Attributes:
        scales: Sizes of the copies, as factors below 1 on the image's size.
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

        For each cell and class, this is the maximum over the scales.
        """
        return highest(self.at_scales(image))

    def at_scales(self, image: Tensor) -> list[Tensor]:
        """Computes the logits of the image and of its copies, all on the grid of the image."""
        return [self._classify(image), *(self._look_again(image, scale) for scale in self.scales)]

    def _look_again(self, image: Tensor, scale: float) -> Tensor:
        """Computes the logits of a smaller copy of the image, on the grid of the image."""
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
    """Computes the element-wise maximum."""
    return reduce(torch.maximum, logits)


def build_deeplab(
    config: SegmenterConfig, *, num_classes: int, load: Loader | None = None
) -> DeepLab:
    """Builds the segmentation network that a config names.

    Args:
        config: Backbone, head and scales.
        num_classes: C, background included.
        load: Function that loads ImageNet weights into the backbone; None: a checkpoint follows.
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
