"""AffinityNet (psa, Ahn and Kwak, CVPR 2018): features that differ where pixels do not belong."""

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from wsss_core.config.affinity import AffinityConfig
from wsss_core.models.backbone import Backbone, Loader, build_backbone, freeze_unread


class AffinityNet(nn.Module):
    """Chosen backbone stages, each reduced by a 1x1 conv and ELU, concatenated and mixed by one.

    Attributes:
        stride: Pixels of the image per cell of the features.
        radius: Pairs of cells nearer than this are what it was trained on.
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
            backbone: Network whose stages are read.
            stages: Which stages, 1-based.
            channels: Channels that each is reduced to.
            radius: In cells.
        """
        super().__init__()
        self.backbone = backbone
        self.stages = tuple(stages)
        self.radius = radius
        in_channels = backbone.channels_of(stages, key="affinity.features")
        self.stride = backbone.strides[self.stages[-1] - 1]
        reduce = [
            nn.Conv2d(before, after, kernel_size=1, bias=False)
            for before, after in zip(in_channels, channels, strict=True)
        ]
        self.reduce = nn.ModuleList(reduce)
        self.mix = nn.Conv2d(sum(channels), sum(channels), kernel_size=1, bias=False)
        for conv in reduce:
            nn.init.kaiming_normal_(conv.weight)
        nn.init.xavier_uniform_(self.mix.weight, gain=4)

    def forward(self, image: Tensor) -> Tensor:
        """Image [B, 3, H, W] in [0, 1] -> features [B, C, H / stride, W / stride], rounded up.

        This is the grid of the last chosen stage; maps of other strides are resized to it.
        """
        maps = self.backbone(image)
        grid = maps[self.stages[-1] - 1].shape[-2:]
        reduced = []
        for stage, conv in zip(self.stages, self.reduce, strict=True):
            stride = self.backbone.strides[stage - 1]
            resized = _resize(maps[stage - 1], factor=stride / self.stride)
            reduced.append(F.elu(conv(resized[..., : grid[0], : grid[1]])))
        return F.elu(self.mix(torch.cat(reduced, dim=1)))

    def param_groups(self) -> dict[str, list[nn.Parameter]]:
        """Parameters by how fast they learn: 'backbone' (pretrained) and 'head' (new)."""
        head = [*self.reduce.parameters(), *self.mix.parameters()]
        return {"backbone": list(self.backbone.parameters()), "head": head}


def _resize(feature: Tensor, *, factor: float) -> Tensor:
    """Resizes by a power of two. Cells stay where they are, also if the last ones are cut off."""
    if factor < 1:
        return F.avg_pool2d(feature, round(1 / factor), ceil_mode=True)
    if factor > 1:
        return F.interpolate(feature, scale_factor=factor, mode="bilinear", align_corners=False)
    return feature


def build_affinity_net(config: AffinityConfig, *, load: Loader | None = None) -> AffinityNet:
    """Builds the network that a config describes.

    Args:
        config: Backbone, stages and channels.
        load: Puts ImageNet weights into the backbone; None when a checkpoint follows.

    Raises:
        UserError: The backbone does not have a chosen stage, or cannot be built.
    """
    backbone = build_backbone(config.backbone, load=load)
    net = AffinityNet(
        backbone, stages=config.features, channels=config.channels, radius=config.radius
    )
    if max(config.features) < len(backbone.channels):
        freeze_unread(backbone, max(config.features))
    return net
