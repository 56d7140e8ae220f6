"""AffinityNet (psa, Ahn and Kwak, CVPR 2018): features that differ between classes."""

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from wsss_core.config.affinity import AffinityConfig
from wsss_core.models.backbone import Backbone, Loader, build_backbone, drop_unread
from wsss_core.ops.grid import Grid, Size, pool, resample, spaced


class AffinityNet(nn.Module):
    """Reduces backbone stages by 1x1 convolutions with ELU, and mixes them by another one.

    Attributes:
        stride: Image pixels per cell of the features.
        radius: The network is trained on pairs of cells that are nearer than this, in cells.
    """

    def __init__(
        self,
        backbone: Backbone,
        *,
        stages: Sequence[int],
        channels: Sequence[int],
        radius: int,
    ) -> None:
        """Adds the head to a backbone.

        Args:
            backbone: The backbone.
            stages: Numbers of the stages to read, from 1.
            channels: Number of channels to which each stage is reduced.
            radius: Radius of pairs, in cells.

        Raises:
            UserError: The backbone does not have a stage.
        """
        super().__init__()
        self.backbone = backbone
        self.stages = tuple(stages)
        self.radius = radius
        in_channels = backbone.channels_of(stages, key="affinity.features")
        self.stride = backbone.geometry.strides[self.stages[-1] - 1]
        reduce = [
            nn.Conv2d(before, after, kernel_size=1, bias=False)
            for before, after in zip(in_channels, channels, strict=True)
        ]
        self.reduce = nn.ModuleList(reduce)
        self.mix = nn.Conv2d(sum(channels), sum(channels), kernel_size=1, bias=False)
        for conv in reduce:
            nn.init.kaiming_normal_(conv.weight)
        nn.init.xavier_uniform_(self.mix.weight, gain=4)

    def grid(self, image: Size) -> Grid:
        """Returns the positions of the feature cells in an image of the given size.

        With ResNet38d, psa takes a cell to be in the middle of its pixels. SEAM instead takes the
        maps to be spread from corner to corner.
        """
        return self._grid(self.stages[-1], image)

    def forward(self, image: Tensor) -> Tensor:
        """Image [B, 3, H, W] in [0, 1] -> features [B, C, H / stride, W / stride], rounded up.

        The features are on the grid of the last chosen stage. Other stages are resized to it.
        """
        maps = self.backbone(image)
        sides = image.shape[-2], image.shape[-1]
        reduced = []
        for stage, conv in zip(self.stages, self.reduce, strict=True):
            feature = _bring(maps[stage - 1], self._grid(stage, sides), self.grid(sides))
            reduced.append(F.elu(conv(feature)))
        return F.elu(self.mix(torch.cat(reduced, dim=1)))

    def _grid(self, stage: int, image: Size) -> Grid:
        geometry = self.backbone.geometry
        stride = geometry.strides[stage - 1]
        if geometry.is_cornered:
            return spaced(image, stride=stride, offset=(stride - 1) / 2)
        return geometry.grid(stage, image)

    def param_groups(self) -> dict[str, list[nn.Parameter]]:
        """Returns the parameters by learning rate: "backbone" (pretrained) and "head" (new)."""
        head = [*self.reduce.parameters(), *self.mix.parameters()]
        return {"backbone": list(self.backbone.parameters()), "head": head}


def _bring(feature: Tensor, source: Grid, target: Grid) -> Tensor:
    if source == target:
        return feature
    if source.rows.stride < target.rows.stride:
        return pool(feature, source, target)
    return resample(feature, source, target)


def build_affinity_net(config: AffinityConfig, *, load: Loader | None = None) -> AffinityNet:
    """Builds the network that a config describes.

    Args:
        config: Backbone, stages and channels.
        load: Function that loads ImageNet weights into the backbone; None: a checkpoint follows.

    Raises:
        UserError: The backbone cannot be built, or it does not have a chosen stage.
    """
    backbone = build_backbone(config.backbone, load=load)
    net = AffinityNet(
        backbone, stages=config.features, channels=config.channels, radius=config.radius
    )
    drop_unread(backbone, config.features)
    return net
