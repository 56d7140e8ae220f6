"""Exact rewrites that make a frozen-BatchNorm backbone cheaper, for training and inference.

On CPUs a BatchNorm in evaluation mode costs as much as the convolution before it, and a dilated
depthwise convolution many times an undilated one. Both go away without changing the function that
the network computes.
"""

import copy
from collections.abc import Callable
from functools import partial
from itertools import groupby
from typing import cast

import torch
import torch.nn.functional as F
from timm.layers import BatchNormAct2d, Conv2dSame, pad_same
from torch import Tensor, nn


class FoldedConv2d(nn.Module):
    """A convolution with the frozen BatchNorm behind it folded into its weight and bias.

    The unfolded weight stays the parameter, so gradients, learning rates and weight decay mean
    the same as with a separate BatchNorm.
    """

    scale: Tensor
    shift: Tensor

    def __init__(self, conv: nn.Conv2d, norm: nn.BatchNorm2d) -> None:
        super().__init__()
        self.conv = conv
        mean, var = cast(Tensor, norm.running_mean), cast(Tensor, norm.running_var)
        scale = norm.weight.detach() * torch.rsqrt(var + norm.eps)
        shift = norm.bias.detach() - mean * scale
        if conv.bias is not None:
            shift = shift + conv.bias.detach() * scale
            conv.bias = None
        self.register_buffer("scale", scale)
        self.register_buffer("shift", shift)

    def forward(self, x: Tensor) -> Tensor:
        """[B, C, H, W] -> [B, C', H', W'] as BatchNorm(conv(x)) gives it."""
        conv = self.conv
        if isinstance(conv, Conv2dSame):
            x = pad_same(x, list(conv.kernel_size), list(conv.stride), list(conv.dilation))
        weight = conv.weight * self.scale[:, None, None, None]
        return F.conv2d(
            x, weight, self.shift, conv.stride, conv.padding, conv.dilation, conv.groups
        )


def fold_batch_norms(module: nn.Module) -> None:
    """Folds each BatchNorm into the convolution registered before it, in place.

    What is left of a BatchNorm is its activation. Right only where registration order is
    execution order; `is_exact` finds out.
    """
    previous: tuple[str, nn.Conv2d] | None = None
    for name, child in list(module.named_modules()):
        if isinstance(child, nn.Conv2d):
            previous = (name, child)
        elif isinstance(child, nn.BatchNorm2d) and previous is not None:
            conv_name, conv = previous
            if child.num_features == conv.out_channels:
                module.set_submodule(conv_name, FoldedConv2d(conv, child))
                act = child.act if isinstance(child, BatchNormAct2d) else nn.Identity()
                module.set_submodule(name, act)
            previous = None


def space_to_batch(x: Tensor, factor: int) -> Tensor:
    """[B, C, H, W] -> [B d d, C, H / d, W / d]: the d x d interleaved sub-grids of each map.

    A cell's neighbours at distance d all lie in its own sub-grid, so a convolution of dilation d
    is an undilated one there. H and W must be multiples of d.
    """
    d = factor
    b, c, h, w = x.shape
    x = x.reshape(b, c, h // d, d, w // d, d).permute(0, 3, 5, 1, 2, 4)
    return x.reshape(b * d * d, c, h // d, w // d).contiguous(memory_format=torch.channels_last)


def batch_to_space(x: Tensor, factor: int) -> Tensor:
    """[B d d, C, H / d, W / d] -> [B, C, H, W]: undoes `space_to_batch`."""
    d = factor
    b, c, h, w = x.shape
    x = x.reshape(b // d**2, d, d, c, h, w).permute(0, 3, 4, 1, 5, 2)
    x = x.reshape(b // d**2, c, h * d, w * d)
    return x.contiguous(memory_format=torch.channels_last)


def _common_dilation(block: nn.Module) -> int:
    """The dilation that all spatial convolutions of a stride-1 block share, else 1."""
    spatial = [m for m in block.modules() if isinstance(m, nn.Conv2d) and max(m.kernel_size) > 1]
    dilations = {m.dilation for m in spatial}
    if len(dilations) != 1 or any(m.stride != (1, 1) for m in spatial):
        return 1
    height, width = dilations.pop()
    return height if height == width else 1


def _undilate(block: nn.Module) -> None:
    for conv in block.modules():
        if isinstance(conv, nn.Conv2d) and max(conv.kernel_size) > 1:
            conv.dilation = (1, 1)
            conv.padding = tuple(k // 2 for k in conv.kernel_size)


def unroll_dilation(module: nn.Module) -> None:
    """Lets runs of equally dilated blocks inside Sequentials work undilated on sub-grids, in place.

    Done by hooks on the first and last block of a run: names of parameters stay, so that weights
    fit a network of another output stride.
    """
    children = module.children()
    if not isinstance(module, nn.Sequential):
        for child in children:
            unroll_dilation(child)
        return
    for dilation, run in groupby(children, key=_common_dilation):
        blocks = list(run)
        for block in blocks:
            if dilation > 1:
                _undilate(block)
            else:
                unroll_dilation(block)
        if dilation > 1:
            blocks[0].register_forward_pre_hook(partial(_enter_sub_grids, factor=dilation))
            blocks[-1].register_forward_hook(partial(_leave_sub_grids, factor=dilation))


def _enter_sub_grids(_block: nn.Module, inputs: tuple[Tensor], *, factor: int) -> Tensor:
    return space_to_batch(inputs[0], factor)


def _leave_sub_grids(_block: nn.Module, _: tuple[Tensor], output: Tensor, *, factor: int) -> Tensor:
    return batch_to_space(output, factor)


@torch.no_grad()
def is_exact(rewrite: Callable[[nn.Module], None], network: nn.Module, *, size: int = 96) -> bool:
    """Whether a rewrite leaves what the network computes as it is.

    Tried on a copy with random parameters and statistics, so that the answer depends on the
    architecture alone: fresh networks hide differences (BatchNorms are identities, or zero), and
    a trained network must be rewritten just as the fresh one that is to load its weights. Double
    precision tells a rounding error from a small difference.

    Args:
        rewrite: Changes a network in place.
        network: Maps an image to a list of feature maps; not changed.
        size: Side of the random image.
    """
    generator = torch.Generator().manual_seed(0)
    before = copy.deepcopy(network).double().eval()
    for tensor in (*before.parameters(), *before.buffers()):
        if tensor.is_floating_point():
            fan_in = max(1, tensor[0].numel()) if tensor.ndim > 1 else 1
            noise = torch.rand(tensor.shape, generator=generator, dtype=tensor.dtype)
            tensor.copy_(
                (noise + 0.5) if tensor.ndim <= 1 else (noise - 0.5) * (12 / fan_in) ** 0.5
            )
    after = copy.deepcopy(before)
    rewrite(after)
    image = torch.randn(1, 3, size, size, generator=generator, dtype=torch.float64)
    try:
        pairs = list(zip(before(image), after(image), strict=True))
    except RuntimeError:  # sizes that a rewrite cannot handle
        return False
    return all(torch.allclose(a, b, rtol=0, atol=1e-9 * float(a.abs().max())) for a, b in pairs)
