"""Backbones: one interface to the feature maps of timm models and ResNet38d."""

import math
from collections.abc import Callable, Collection, Sequence
from typing import Any, cast

import timm
import torch
import torch.nn.functional as F
from timm.layers import freeze_batch_norm_2d
from timm.models.resnet import Bottleneck
from torch import Tensor, nn

from wsss_core.config.backbone import BackboneConfig
from wsss_core.models.cell_positions import Cells, locate_cells
from wsss_core.models.folding import fold_batch_norms, remove_after, unroll_dilation
from wsss_core.models.geometry import FeatureGeometry
from wsss_core.models.resnet38d import ResNet38d
from wsss_core.runtime.errors import UserError

PACKAGED_LITE0 = "package:efficientnet-lite0"
# The packaged EfficientNet-Lite0 was trained on (x * 255 - 127) / 128.
PACKAGED_LITE0_MEAN, PACKAGED_LITE0_STD = 127 / 255, 128 / 255
# The network of He et al. (2016). timm has a later version, with the strides at other layers. The
# input is in 0..255, minus the mean colour.
CAFFE_RESNET101 = "resnet101.caffe"
CAFFE_MEAN, CAFFE_STD = (122.675 / 255, 116.669 / 255, 104.008 / 255), (1 / 255,) * 3

Loader = Callable[[nn.Module, BackboneConfig], None]


class Backbone(nn.Module):
    """A network with frozen BatchNorms that computes feature maps F_1..F_n.

    Attributes:
        channels: Number of channels of F_1..F_n.
        geometry: Positions of their cells in the image.
        mean: RGB colour in [0, 1] that normalises to zero. Padding should have this colour.
        multiple: Height and width, with the geometry's margin, are padded to multiples of this.
    """

    mean: Tensor
    std: Tensor

    def __init__(
        self,
        network: nn.Module,
        *,
        channels: tuple[int, ...],
        geometry: FeatureGeometry,
        mean: tuple[float, ...],
        std: tuple[float, ...],
        multiple: int = 1,
    ) -> None:
        super().__init__()
        self.network = network
        self.channels = channels
        self.geometry = geometry
        self.multiple = multiple
        self.register_buffer("mean", torch.tensor(mean), persistent=False)
        self.register_buffer("std", torch.tensor(std), persistent=False)

    @property
    def fill(self) -> tuple[int, int, int]:
        """The colour of padding, RGB 0..255."""
        red, green, blue = (round(255 * value) for value in self.mean.tolist())
        return red, green, blue

    def channels_of(self, stages: Sequence[int], *, key: str) -> tuple[int, ...]:
        """Returns the number of channels of some stages.

        Args:
            stages: Numbers of the stages, from 1.
            key: The config key with these numbers, for the message.

        Raises:
            UserError: The backbone does not have a stage.
        """
        if not all(1 <= stage <= len(self.channels) for stage in stages):
            raise UserError(
                f"{key} is {list(stages)}; expected stages 1 to {len(self.channels)}, which the "
                "backbone has"
            )
        return tuple(self.channels[stage - 1] for stage in stages)

    def normalize(self, image: Tensor) -> Tensor:
        """Image [B, 3, H, W] in [0, 1] -> normalised as the network expects it."""
        return (image - self.mean[:, None, None]) / self.std[:, None, None]

    def forward(self, image: Tensor) -> list[Tensor]:
        """Image [B, 3, H, W] in [0, 1] -> [F_1, ..., F_n], with ceil(H / stride) rows each.

        After `drop_unread`, the last maps may be missing. The image gets a margin at the top and
        left, and is padded to `multiple` at the bottom and right. Cells in the margin are cut off.
        """
        height, width = image.shape[-2:]
        margin = self.geometry.margin
        below, right = (-(margin + side) % self.multiple for side in (height, width))
        normalized = F.pad(self.normalize(image), (margin, right, margin, below))
        features = self.network(normalized.contiguous(memory_format=torch.channels_last))
        cut = []
        for feature, stride in zip(features, self.geometry.strides, strict=False):
            first = margin // stride
            rows, columns = (math.ceil(side / stride) for side in (height, width))
            cut.append(feature[..., first : first + rows, first : first + columns])
        return cut


def build_backbone(config: BackboneConfig, *, load: Loader | None = None) -> Backbone:
    """Builds the backbone that a config names.

    Args:
        config: Name, output stride and ImageNet weights.
        load: Function that loads `config.weights` into the network; None: a checkpoint follows. It
            is an argument so that inference stages do not depend on the code that reads such files.

    Raises:
        UserError: The name, stride, weights or frozen stages do not exist.
    """
    build = _build_resnet38d if config.name == "resnet38d" else _build_timm
    backbone = build(config, load=load)
    if config.frozen_stages:
        frozen = range(1, config.frozen_stages + 1)
        backbone.channels_of(frozen, key="backbone.frozen_stages")
        learning, _ = _split_params(backbone, frozen)
        for param in learning:
            param.requires_grad_(False)  # noqa: FBT003
    return backbone


def num_stages(config: BackboneConfig) -> int:
    """Returns the number of feature maps F_1..F_n of a backbone, without allocating weights.

    Raises:
        UserError: The network does not exist.
    """
    if config.name == "resnet38d":
        return len(ResNet38d.strides)
    with torch.device("meta"):
        return len(_create_timm(config).feature_info.channels())


def drop_unread(backbone: Backbone, stages: Collection[int]) -> None:
    """Removes layers that have no influence on the feature maps of some stages.

    Of networks in which such layers are not known, the weights are frozen. Otherwise DDP would wait
    for their gradients.
    """
    remove_after(backbone.network, max(stages))
    _, unread = _split_params(backbone, stages)
    for param in unread:
        param.requires_grad_(False)  # noqa: FBT003


def _split_params(
    backbone: Backbone, stages: Collection[int]
) -> tuple[list[nn.Parameter], list[nn.Parameter]]:
    """Splits the trainable parameters into those that influence some stages, and the others."""
    params = [p for p in backbone.parameters() if p.requires_grad]
    with torch.enable_grad():
        features = backbone(torch.zeros(1, 3, 64, 64))
        total = torch.stack([features[stage - 1].sum() for stage in stages]).sum()
    if not total.requires_grad:
        return [], params
    grads = torch.autograd.grad(total, params, allow_unused=True)
    pairs = list(zip(params, grads, strict=True))
    return [p for p, grad in pairs if grad is not None], [p for p, grad in pairs if grad is None]


def _build_resnet38d(config: BackboneConfig, *, load: Loader | None) -> Backbone:
    if config.output_stride != ResNet38d.strides[-1]:
        raise UserError(
            f"backbone 'resnet38d': output_stride is {ResNet38d.strides[-1]}, "
            f"got {config.output_stride}"
        )
    network = ResNet38d()
    if load is not None and config.weights is not None:
        load(network, config)
    return Backbone(
        network,
        channels=network.channels,
        geometry=FeatureGeometry(tuple(Cells(s, 0) for s in network.strides), is_cornered=True),
        mean=network.mean,
        std=network.std,
    )


def _create_timm(config: BackboneConfig, *, pretrained: bool = False) -> Any:
    """Builds a timm network with features_only; `pretrained` loads its downloaded weights file."""
    name = "resnet101" if config.name == CAFFE_RESNET101 else config.name
    # timm would download the config of a name such as hf-hub:..., and anybody's weights file may
    # have such a name.
    if not timm.is_model(name.split(".")[0]):
        raise UserError(f"backbone '{config.name}': timm has no network of this name")
    file = config.weights_file if pretrained else None
    if file is not None and not file.is_file():
        raise UserError(
            f"{file}: timm's weights of '{config.name}' not found; obtain_weights has to run first"
        )
    try:
        return timm.create_model(
            name,
            pretrained=pretrained,
            pretrained_cfg_overlay={"file": str(file)} if file else None,
            features_only=True,
            output_stride=config.output_stride,
        )
    except (RuntimeError, TypeError, AssertionError, NotImplementedError, ValueError) as error:
        raise UserError(
            f"backbone '{config.name}': timm cannot build it with features_only and output "
            f"stride {config.output_stride} ({error})"
        ) from error


def _build_timm(config: BackboneConfig, *, load: Loader | None) -> Backbone:
    weights = None if load is None else config.weights
    is_caffe = config.name == CAFFE_RESNET101
    if is_caffe and weights == "timm":
        raise UserError(f"backbone '{config.name}': timm has no weights of it; expected a file")
    network = _create_timm(config, pretrained=weights == "timm")
    mean = tuple(network.default_cfg["mean"]) if hasattr(network, "default_cfg") else (0.5,) * 3
    std = tuple(network.default_cfg["std"]) if hasattr(network, "default_cfg") else (0.5,) * 3
    if is_caffe:
        _use_caffe_strides(network)
        mean, std = CAFFE_MEAN, CAFFE_STD
    if config.weights == PACKAGED_LITE0:
        mean, std = (PACKAGED_LITE0_MEAN,) * 3, (PACKAGED_LITE0_STD,) * 3
    if load is not None and weights not in (None, "timm"):
        load(network, config)
    geometry = FeatureGeometry.centred(locate_cells(network.eval()))
    return Backbone(
        _simplify(network),
        channels=tuple(network.feature_info.channels()),
        geometry=geometry,
        mean=mean,
        std=std,
        multiple=32,  # without dilation, these networks halve the image five times
    )


def _use_caffe_strides(network: nn.Module) -> None:
    """Moves the stride of each stage from its first 3x3 convolution to the 1x1 before it.

    The 3x3 convolution then works on the coarser grid. If dilation replaces the stride, it gets the
    dilation of the convolutions after it.
    """
    for stage in network.children():
        blocks = [cast(Any, b) for b in stage.children() if isinstance(b, Bottleneck)]
        if blocks:
            first, second = blocks[:2]
            first.conv1.stride, first.conv2.stride = first.conv2.stride, (1, 1)
            first.conv2.dilation = second.conv2.dilation
            first.conv2.padding = second.conv2.padding


def _simplify(network: nn.Module) -> nn.Module:
    """Makes a network faster with the same results, and freezes the remaining BatchNorms."""
    network.eval().requires_grad_(requires_grad=True)
    fold_batch_norms(network)
    unroll_dilation(network)
    frozen: nn.Module = freeze_batch_norm_2d(network)
    return frozen
