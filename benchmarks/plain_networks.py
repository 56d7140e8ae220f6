"""Networks as they are usually run: float32, channels first, BatchNorms by themselves."""

import timm
from torch import Tensor, nn

from wsss_core.config.backbone import BackboneConfig
from wsss_core.models.backbone import Backbone


class ChannelsFirst(nn.Module):
    """Runs a network on images whose channels come first in memory."""

    def __init__(self, network: nn.Module) -> None:
        super().__init__()
        self.network = network

    def forward(self, image: Tensor) -> list[Tensor]:
        """Image [B, 3, H, W] -> feature maps."""
        features: list[Tensor] = self.network(image.contiguous())
        return features


def run_channels_first(backbone: Backbone) -> None:
    """Makes a backbone compute with channels first; its weights are not touched."""
    backbone.network = ChannelsFirst(backbone.network)


def use_plain_timm(backbone: Backbone, config: BackboneConfig) -> None:
    """Puts timm's network as it comes into a backbone, its BatchNorms frozen by `eval`."""
    network = timm.create_model(
        config.name, pretrained=False, features_only=True, output_stride=config.output_stride
    )
    backbone.network = ChannelsFirst(network.eval())
