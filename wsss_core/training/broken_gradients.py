"""Refuses layers whose gradients CPUs compute wrongly.

For a strided 1x1 convolution of fewer than 16 channels that lie last, oneDNN 3.12 (in torch 2.14)
writes the gradient of the weights past its memory: https://github.com/uxlfoundation/oneDNN/issues/6035.
The process crashes, or goes on with other numbers in its memory than it should have:

    x = torch.randn(3, 12, 48, 48).contiguous(memory_format=torch.channels_last)
    w = torch.randn(24, 12, 1, 1, requires_grad=True)
    torch.nn.functional.conv2d(x, w, stride=2).sum().backward()  # a segmentation fault

Strided 1x1 convolutions are the shortcuts of residual blocks. ResNet38d's have 128 channels and
more, ResNets' 64, RegNets' 24; EfficientNets and ConvNeXts have none.
"""

import torch
from torch import nn

from wsss_core.runtime.errors import UserError

SAFE_CHANNELS = 16  # what a vector register of AVX-512 holds


def refuse_broken_gradients(model: nn.Module, device: torch.device) -> None:
    """Raises UserError where a layer that is to be trained on a CPU is one of these."""
    if device.type != "cpu":
        return
    for name, layer in model.named_modules():
        if (
            isinstance(layer, nn.Conv2d)
            and layer.kernel_size == (1, 1)
            and max(layer.stride) > 1
            and layer.groups == 1
            and layer.in_channels < SAFE_CHANNELS
            and layer.weight.requires_grad
        ):
            raise UserError(
                f"{name}: a strided 1x1 convolution of {layer.in_channels} channels, whose "
                f"gradient oneDNN computes wrongly; expected at least {SAFE_CHANNELS}, or a GPU"
            )
