"""DeepLab-v2: a backbone and atrous spatial pyramid pooling.

Letters: B batch, C classes (background first), D channels, R rates, H W image, h w feature map.
"""

from typing import cast

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from wsss_core.config.segmenter import SegmenterConfig
from wsss_core.models.backbone import Backbone, Loader, build_backbone


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

    Attributes:
        stride: Image pixels per cell of the logits.
    """

    def __init__(self, backbone: Backbone, head: nn.Module) -> None:
        super().__init__()
        self.backbone = backbone
        self.head = head
        self.stride = backbone.strides[-1]

    def forward(self, image: Tensor) -> Tensor:
        """Image [B, 3, H, W] in [0, 1] -> logits [B, C, H / stride, W / stride], rounded up."""
        logits: Tensor = self.head(self.backbone(image)[-1])
        return logits


def build_deeplab(
    config: SegmenterConfig, *, num_classes: int, load: Loader | None = None
) -> DeepLab:
    """Builds the segmentation network that a config names.

    Args:
        config: Backbone and rates.
        num_classes: C, background included.
        load: Puts ImageNet weights into the backbone; None when a checkpoint follows.
    """
    backbone = build_backbone(config.backbone, load=load)
    return DeepLab(backbone, Aspp(backbone.channels[-1], num_classes, rates=config.rates))
