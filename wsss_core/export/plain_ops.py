"""Replaces special layers of a trained network by standard layers, which all formats support.

The network computes the same. Two features of the special layers are lost: fast training on CPUs,
and 'same' padding that depends on the input size. Instead, the image must be padded first to a
multiple of all strides; then the padding of each layer is constant.
"""

from collections.abc import Sequence
from typing import cast

import torch
from timm.layers import AvgPool2dSame, Conv2dSame
from torch import Tensor, nn

from wsss_core.models.deeplab import Aspp
from wsss_core.models.folding import FoldedConv2d


class Branches(nn.Module):
    """Sum of parallel layers: the head of DeepLab-v2."""

    def __init__(self, branches: Sequence[nn.Module]) -> None:
        super().__init__()
        self.branches = nn.ModuleList(branches)

    def forward(self, x: Tensor) -> Tensor:
        """[B, D, h, w] -> [B, C, h, w]."""
        return torch.stack([branch(x) for branch in self.branches]).sum(dim=0)


def make_plain(module: nn.Module) -> None:
    """Replaces all special layers of a network by standard ones, in place.

    The result is correct only if the input is padded to a multiple of all strides.
    """
    for name, child in module.named_children():
        plain = _plain(child)
        if plain is None:
            make_plain(child)
        else:
            setattr(module, name, plain)


def _plain(layer: nn.Module) -> nn.Module | None:
    if isinstance(layer, FoldedConv2d):
        return _plain_conv(layer.conv, scale=layer.scale, bias=layer.shift)
    if isinstance(layer, Conv2dSame):
        return _plain_conv(layer, scale=None, bias=layer.bias)
    if isinstance(layer, Aspp):
        return Branches([cast(nn.Conv2d, branch) for branch in layer.branches])
    if isinstance(layer, nn.AvgPool2d):
        return _plain_pool(layer)
    return None


def _plain_conv(conv: nn.Conv2d, *, scale: Tensor | None, bias: Tensor | None) -> nn.Module:
    """Builds a convolution with outputs multiplied by `scale` [C] and shifted by `bias` [C]."""
    plain = nn.Conv2d(
        conv.in_channels,
        conv.out_channels,
        cast(tuple[int, int], conv.kernel_size),
        cast(tuple[int, int], conv.stride),
        cast(tuple[int, int], conv.padding),
        cast(tuple[int, int], conv.dilation),
        conv.groups,
        bias=bias is not None,
    )
    weight = conv.weight if scale is None else conv.weight * scale[:, None, None, None]
    plain.weight = nn.Parameter(weight.detach().clone())
    plain.bias = None if bias is None else nn.Parameter(bias.detach().clone())
    if not isinstance(conv, Conv2dSame):
        return plain
    plain.padding = (0, 0)
    return nn.Sequential(_same_padding(conv), plain)


def _plain_pool(pool: nn.AvgPool2d) -> nn.Module:
    same = isinstance(pool, AvgPool2dSame)
    plain = nn.AvgPool2d(
        pool.kernel_size,
        pool.stride,
        0 if same else pool.padding,
        count_include_pad=pool.count_include_pad,
    )
    return nn.Sequential(_same_padding(pool), plain) if same else plain


def _same_padding(layer: nn.Conv2d | nn.AvgPool2d) -> nn.ZeroPad2d:
    """Builds TensorFlow's 'same' padding for inputs whose sides are multiples of the stride."""
    dilations = _pair(getattr(layer, "dilation", 1))
    kernels, strides = _pair(layer.kernel_size), _pair(layer.stride)
    height, width = (
        max((kernel - 1) * dilation + 1 - stride, 0)
        for kernel, stride, dilation in zip(kernels, strides, dilations, strict=True)
    )
    return nn.ZeroPad2d((width // 2, width - width // 2, height // 2, height - height // 2))


def _pair(value: int | tuple[int, ...]) -> tuple[int, ...]:
    return (value, value) if isinstance(value, int) else tuple(value)
