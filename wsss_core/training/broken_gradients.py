"""Refuses layers whose gradients are computed wrongly on CPUs.

The bug is in oneDNN 3.12 (in torch 2.14): https://github.com/uxlfoundation/oneDNN/issues/6035. It
concerns strided 1x1 convolutions with fewer than 16 input channels in channels_last format. The
gradient of the weights is written outside its memory. The process crashes, or continues with
overwritten numbers in its memory:

    x = torch.randn(3, 12, 48, 48).contiguous(memory_format=torch.channels_last)
    w = torch.randn(24, 12, 1, 1, requires_grad=True)
    torch.nn.functional.conv2d(x, w, stride=2).sum().backward()  # a segmentation fault

Residual blocks have strided 1x1 convolutions as shortcuts. They have at least 128 channels in
ResNet38d, 64 in ResNets and 24 in RegNets. EfficientNets and ConvNeXts have none.
"""

import torch
from torch import nn

from wsss_core.runtime.errors import UserError

SAFE_CHANNELS = 16  # the number of floats in an AVX-512 register


def refuse_broken_gradients(model: nn.Module, device: torch.device) -> None:
    """Raises UserError if a layer that would be trained on a CPU is affected by the bug."""
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
