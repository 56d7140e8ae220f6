"""ResNet38d: the wide pre-activation backbone of SEAM and of the paper (model A1 of ademxapp).

Letters: B batch, H W image size, h w feature size.
"""

from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torchvision.ops import FrozenBatchNorm2d


class Plan(NamedTuple):
    """A block of the published table; `bottleneck` is the 3x3 width of a bottleneck block."""

    name: str
    channels: tuple[int, int, int]  # in, middle, out
    stride: int = 1
    dilations: tuple[int, int] = (1, 1)  # first and second 3x3 convolution
    bottleneck: int | None = None
    dropout: float = 0.0


PLANS = (
    Plan("b2", (64, 128, 128), stride=2),
    Plan("b2_1", (128, 128, 128)),
    Plan("b2_2", (128, 128, 128)),
    Plan("b3", (128, 256, 256), stride=2),
    Plan("b3_1", (256, 256, 256)),
    Plan("b3_2", (256, 256, 256)),
    Plan("b4", (256, 512, 512), stride=2),
    *(Plan(f"b4_{i}", (512, 512, 512)) for i in range(1, 6)),
    Plan("b5", (512, 512, 1024), dilations=(1, 2)),
    Plan("b5_1", (1024, 512, 1024), dilations=(2, 2)),
    Plan("b5_2", (1024, 512, 1024), dilations=(2, 2)),
    Plan("b6", (1024, 512, 2048), dilations=(4, 4), bottleneck=1024, dropout=0.3),
    Plan("b7", (2048, 1024, 4096), dilations=(4, 4), bottleneck=2048, dropout=0.5),
)
FIRST_CHANNELS, LAST_CHANNELS = 64, 4096
# Features conv1..conv6 are the activated inputs of these blocks. conv7 is the final output.
FEATURE_BLOCKS = ("b2", "b3", "b4", "b5", "b6", "b7")
FROZEN = ("conv1a", "b2", "b2_1", "b2_2")


class FrozenBatchNorm(FrozenBatchNorm2d):  # type: ignore[misc]
    """A BatchNorm with fixed statistics and affine terms that keeps the dtype of its input.

    torchvision's forward multiplies by float32 buffers, which turns each bf16 activation of an
    autocast region into float32. A fused multiply-add keeps the dtype, and stores no input for the
    backward pass.
    """

    def forward(self, x: Tensor) -> Tensor:
        """Normalises x, [B, C, h, w]; the result has the dtype of x."""
        scale = self.weight * (self.running_var + self.eps).rsqrt()
        shift = self.bias - self.running_mean * scale
        return torch.addcmul(shift.view(1, -1, 1, 1).to(x), x, scale.view(1, -1, 1, 1).to(x))


def _conv(
    channels_in: int, channels_out: int, kernel: int, *, stride: int = 1, dilation: int = 1
) -> nn.Conv2d:
    return nn.Conv2d(
        channels_in,
        channels_out,
        kernel,
        stride=stride,
        padding=dilation * (kernel // 2),
        dilation=dilation,
        bias=False,
    )


class ResidualBlock(nn.Module):
    """BN-ReLU before each convolution; the shortcut is a 1x1 convolution if the shape changes."""

    def __init__(self, plan: Plan) -> None:
        super().__init__()
        channels_in, middle, channels_out = plan.channels
        first, second = plan.dilations
        self.bn_branch2a = FrozenBatchNorm(channels_in)
        self.conv_branch2a = _conv(channels_in, middle, 3, stride=plan.stride, dilation=first)
        self.bn_branch2b1 = FrozenBatchNorm(middle)
        self.conv_branch2b1 = _conv(middle, channels_out, 3, dilation=second)
        self.conv_branch1 = (
            _conv(channels_in, channels_out, 1, stride=plan.stride)
            if plan.stride > 1 or channels_in != channels_out
            else None
        )

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """Returns the block's output and its activated input (the named feature)."""
        activated = F.relu(self.bn_branch2a(x))
        shortcut = x if self.conv_branch1 is None else self.conv_branch1(activated)
        branch = F.relu(self.bn_branch2b1(self.conv_branch2a(activated)))
        return shortcut + self.conv_branch2b1(branch), activated


class BottleneckBlock(nn.Module):
    """1x1, dilated 3x3, 1x1, with channel dropout before the last two convolutions."""

    def __init__(self, plan: Plan) -> None:
        super().__init__()
        channels_in, middle, channels_out = plan.channels
        wide = plan.bottleneck or middle
        self.bn_branch2a = FrozenBatchNorm(channels_in)
        self.conv_branch2a = _conv(channels_in, middle, 1, stride=plan.stride)
        self.bn_branch2b1 = FrozenBatchNorm(middle)
        self.conv_branch2b1 = _conv(middle, wide, 3, dilation=plan.dilations[0])
        self.bn_branch2b2 = FrozenBatchNorm(wide)
        self.conv_branch2b2 = _conv(wide, channels_out, 1)
        self.conv_branch1 = _conv(channels_in, channels_out, 1, stride=plan.stride)
        self.dropout = nn.Dropout2d(plan.dropout)

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """Returns the block's output and its activated input (the named feature)."""
        activated = F.relu(self.bn_branch2a(x))
        branch = self.conv_branch2a(activated)
        branch = self.dropout(F.relu(self.bn_branch2b1(branch)))
        branch = self.conv_branch2b1(branch)
        branch = self.dropout(F.relu(self.bn_branch2b2(branch)))
        return self.conv_branch1(activated) + self.conv_branch2b2(branch), activated


class ResNet38d(nn.Module):
    """The backbone. Parameter names are those of the public PyTorch conversions of its weights.

    As in the released code, all BatchNorms have fixed statistics and affine terms, and conv1a and
    the b2 blocks are not trained.

    Attributes:
        channels: Number of channels of conv1..conv7.
        strides: Image pixels per cell of conv1..conv7.
        mean: RGB mean for normalisation, for images in [0, 1].
        std: RGB standard deviation for normalisation.
    """

    strides = (1, 2, 4, 8, 8, 8, 8)
    mean = (0.485, 0.456, 0.406)
    std = (0.229, 0.224, 0.225)

    def __init__(self, *, width: float = 1.0) -> None:
        """Builds the network with `width` times the published channels (below 1 for tests)."""
        super().__init__()
        plans = [_scale_plan(plan, width) for plan in PLANS]
        self.conv1a = _conv(3, _scale(FIRST_CHANNELS, width), 3)
        for plan in plans:
            block = ResidualBlock(plan) if plan.bottleneck is None else BottleneckBlock(plan)
            self.add_module(plan.name, block)
        self.bn7 = FrozenBatchNorm(_scale(LAST_CHANNELS, width))
        entering = {plan.name: plan.channels[0] for plan in plans}
        self.channels = (*(entering[name] for name in FEATURE_BLOCKS), plans[-1].channels[2])
        for name in FROZEN:
            self.get_submodule(name).requires_grad_(requires_grad=False)

    def forward(self, image: Tensor) -> list[Tensor]:
        """Computes the features conv1..conv7.

        Args:
            image: [B, 3, H, W] RGB, normalised with `mean` and `std`.

        Returns:
            Seven non-negative maps [B, channels[i], H / strides[i], W / strides[i]], sizes
            rounded up.
        """
        x = self.conv1a(image)
        features = []
        for plan in PLANS:
            x, activated = self.get_submodule(plan.name)(x)
            if plan.name in FEATURE_BLOCKS:
                features.append(activated)
        return [*features, F.relu(self.bn7(x))]


def _scale(channels: int, width: float) -> int:
    return max(1, round(channels * width))


def _scale_plan(plan: Plan, width: float) -> Plan:
    entering, middle, leaving = (_scale(channels, width) for channels in plan.channels)
    wide = None if plan.bottleneck is None else _scale(plan.bottleneck, width)
    return plan._replace(channels=(entering, middle, leaving), bottleneck=wide)
