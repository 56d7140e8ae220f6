"""Networks as they usually run: float32, channels first, separate BatchNorms."""

import timm
from torch import Tensor, nn

from wsss_core.config.backbone import BackboneConfig
from wsss_core.models.backbone import Backbone


class ChannelsFirst(nn.Module):
    """Runs a network on images in channels-first memory format."""

    def __init__(self, network: nn.Module) -> None:
        super().__init__()
        self.network = network

    def forward(self, image: Tensor) -> list[Tensor]:
        """Computes the feature maps of images [B, 3, H, W]."""
        features: list[Tensor] = self.network(image.contiguous())
        return features


def run_channels_first(backbone: Backbone) -> None:
    """Makes a backbone compute with channels first; its weights stay the same."""
    backbone.network = ChannelsFirst(backbone.network)


def use_plain_timm(backbone: Backbone, config: BackboneConfig) -> None:
    """Replaces a backbone's network by timm's own, with BatchNorms frozen by `eval`."""
    network = timm.create_model(
        config.name, pretrained=False, features_only=True, output_stride=config.output_stride
    )
    backbone.network = ChannelsFirst(network.eval())
