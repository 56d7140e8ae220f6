"""Depthwise convolution with fast gradients on CPUs and fast inference on GPUs.

On GPUs, cuDNN compiles a kernel for each size of a map in channels-last format
(https://github.com/NVIDIA/cudnn-frontend/issues/1066). That takes 0.25 s, and photographs have many
sizes. So inference uses torch's own kernel, which is as fast and fits all sizes
(docs/performance.md). In training, all crops have one size.

On CPUs, the fast kernels for gradients of oneDNN 3.12 (in torch 2.14) do not cover all cases. The
others are slower, some several times:

- Kernels wider than 3 ("bad param: kw > 3" in its log of dispatches), and maps lower than the
  kernel. But the gradient of a part of the columns is that of a narrower convolution.
- bfloat16. A depthwise convolution that learns computes in float32 instead, also within autocast.
"""

from collections.abc import Sequence
from typing import Any, cast

import torch
import torch.nn.functional as F
from torch import Tensor
from torch.autograd.function import once_differentiable

FAST_WIDTH = 3


def conv2d(
    x: Tensor,
    weight: Tensor,
    bias: Tensor,
    stride: Sequence[int],
    padding: str | Sequence[int],
    dilation: Sequence[int],
    groups: int,
) -> Tensor:
    """Computes `torch.nn.functional.conv2d`; `bias` gets no gradient.

    Within autocast on a CPU, a depthwise convolution that has a gradient returns float32.

    Args:
        x: [B, C, H, W].
        weight: [C', C / groups, kh, kw].
        bias: [C'].
        stride: Of rows and columns.
        padding: Rows and columns of zeros on each side, or `same`.
        dilation: Of rows and columns.
        groups: C for a depthwise convolution.
    """
    is_depthwise = groups == x.shape[1] == len(weight)
    if is_depthwise and x.device.type == "cuda" and not torch.is_grad_enabled():
        with torch.backends.cudnn.flags(enabled=False):
            return F.conv2d(x, weight, bias, stride, padding, dilation, groups)
    learns = torch.is_grad_enabled() and (x.requires_grad or weight.requires_grad)
    if not is_depthwise or x.device.type != "cpu" or not learns:
        return F.conv2d(x, weight, bias, stride, padding, dilation, groups)
    with torch.autocast("cpu", enabled=False):
        x, weight = x.to(bias.dtype), weight.to(bias.dtype)
        is_narrow = weight.shape[-1] <= FAST_WIDTH or not weight.requires_grad
        if is_narrow or tuple(dilation) != (1, 1) or isinstance(padding, str):
            return F.conv2d(x, weight, bias, stride, padding, dilation, groups)
        return cast(Tensor, _Depthwise.apply(x, weight, bias, tuple(stride), tuple(padding)))


class _Depthwise(torch.autograd.Function):
    @staticmethod
    def forward(
        ctx: Any, x: Tensor, weight: Tensor, bias: Tensor, stride: Any, padding: Any
    ) -> Tensor:
        ctx.save_for_backward(x, weight)
        ctx.stride, ctx.padding = stride, padding
        return F.conv2d(x, weight, bias, stride, padding, groups=len(weight))

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor | None, Tensor, None, None, None]:
        x, weight = ctx.saved_tensors
        of_x = None
        if ctx.needs_input_grad[0]:
            of_x = _backward(gradient, x, weight, ctx.stride, ctx.padding, which="x")
        of_weight = _weight_gradient(gradient, x, weight, ctx.stride, ctx.padding)
        return of_x, of_weight, None, None, None


def _weight_gradient(
    gradient: Tensor, x: Tensor, weight: Tensor, stride: Sequence[int], padding: Sequence[int]
) -> Tensor:
    """Computes the gradient [C, 1, kh, kw] for `FAST_WIDTH` columns of the kernel at a time."""
    kernel_height, kernel_width = weight.shape[-2:]
    width = (gradient.shape[-1] - 1) * stride[1] + FAST_WIDTH  # what a part of the kernel reads
    rows, above = padding[0], 0
    if x.shape[-2] < kernel_height + stride[0]:  # too low for the fast kernel, so padded here
        rows, above = 0, padding[0]
    result = torch.empty_like(weight)
    for first in range(0, kernel_width, FAST_WIDTH):
        column = min(first, kernel_width - FAST_WIDTH)  # the last part may overlap with the others
        left = padding[1] - column
        part = _place(x, above=above, left=left, width=width)
        columns = slice(column, column + FAST_WIDTH)
        narrow = weight[..., columns]
        result[..., columns] = _backward(gradient, part, narrow, stride, (rows, 0), which="weight")
    return result


def _place(x: Tensor, *, above: int, left: int, width: int) -> Tensor:
    """Pads or crops in two thirds of the time of `F.pad`, which first fills all cells with zeros.

    Args:
        x: [B, C, H, W].
        above: Rows of zeros above and below.
        left: Columns of zeros at the left; a negative number crops.
        width: Width of the result. Columns at the right are added or cropped.

    Returns:
        [B, C, H + 2 * above, width].
    """
    batch, channels, height, _ = x.shape
    is_last = x.is_contiguous(memory_format=torch.channels_last)
    result = torch.empty(
        (batch, channels, height + 2 * above, width),
        dtype=x.dtype,
        memory_format=torch.channels_last if is_last else torch.contiguous_format,
    )
    rows = slice(above, above + height)
    first = max(left, 0)
    last = max(first, min(left + x.shape[-1], width))
    result[:, :, rows, first:last] = x[..., first - left : last - left]
    for border in (
        result[:, :, :above],
        result[:, :, above + height :],
        result[..., :first],
        result[..., last:],
    ):
        border.zero_()
    return result


def _backward(
    gradient: Tensor,
    x: Tensor,
    weight: Tensor,
    stride: Sequence[int],
    padding: Sequence[int],
    *,
    which: str,
) -> Tensor:
    """Returns torch's own gradient of a depthwise convolution, of `x` or of `weight`."""
    of_x, of_weight, _ = torch.ops.aten.convolution_backward(
        gradient,
        x,
        weight,
        bias_sizes=None,
        stride=stride,
        padding=padding,
        dilation=(1, 1),
        transposed=False,
        output_padding=(0, 0),
        groups=len(weight),
        output_mask=(which == "x", which == "weight", False),
    )
    return cast(Tensor, of_x if which == "x" else of_weight)
