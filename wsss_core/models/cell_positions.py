"""Finds the positions in the image of the cells of a network's feature maps.

The centre of cell i of a map with stride s depends on the convolutions. It is pixel s * i if they
pad equally on both sides, pixel s * i + s - 1 if they pad like TensorFlow ('same'), and the middle
of the cell's pixels if they merge patches. It can differ between the stages of one network, so it
is computed layer by layer.
"""

import math
from collections.abc import Callable, Iterator, MutableMapping
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils.weak import WeakTensorKeyDictionary

PROBE = 64  # side of the test image in pixels; a multiple of all strides

aten = torch.ops.aten


class Cells(NamedTuple):
    """Positions of cells: along both sides, the centre of cell i is pixel `offset + stride * i`."""

    stride: float
    offset: float


@torch.inference_mode(mode=False)  # else torch would not show the operations of MOVES
@torch.no_grad()
def locate_cells(network: nn.Module) -> list[Cells]:
    """Computes the cell positions of each feature map of a network.

    Runs the network on a test image, and tracks positions through convolutions, poolings and
    paddings. If branches with different positions meet, their mean is used. If another layer halves
    or doubles a map, such as one that merges patches, a cell is in the middle of its pixels.

    Args:
        network: Image [B, 3, H, W] -> feature maps [B, D_m, h_m, w_m], in evaluation mode.

    Returns:
        The positions for each feature map.
    """
    image = torch.zeros(1, 3, PROBE, PROBE)
    with _Follower(image) as follower:
        features = network(image)
    return [_scale(follower.cells[feature], PROBE / feature.shape[-1]) for feature in features]


def _scale(cells: Cells, stride: float) -> Cells:
    """Corrects cells for layers that were not tracked; `stride` is about the real stride."""
    stride = cells.stride * 2 ** round(math.log2(stride / cells.stride))
    return Cells(stride, cells.offset + (stride - cells.stride) / 2)


class _Follower(TorchDispatchMode):  # type: ignore[no-untyped-call]
    """Records the cell positions of each tensor that is computed from the image."""

    def __init__(self, image: Tensor) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.cells: MutableMapping[Tensor, Cells] = WeakTensorKeyDictionary()
        self.cells[image] = Cells(1.0, 0.0)

    def __torch_dispatch__(
        self, func: Any, types: Any, args: tuple[Any, ...] = (), kwargs: Any = None
    ) -> Any:
        output = func(*args, **(kwargs or {}))
        known = [self.cells[tensor] for tensor in _tensors(args) if tensor in self.cells]
        if known:
            cells = MOVES.get(func, _stay)(_mean(known), *args[1:])  # type: ignore[no-untyped-call]
            for tensor in _tensors((output,)):
                self.cells[tensor] = cells
        return output


def _tensors(values: Any) -> Iterator[Tensor]:
    """Yields the tensors among values, including those in lists and tuples."""
    for value in values:
        if isinstance(value, Tensor):
            yield value
        elif isinstance(value, list | tuple):
            yield from _tensors(value)


def _mean(branches: list[Cells]) -> Cells:
    stride = branches[0].stride
    offsets = [cells.offset for cells in branches if cells.stride == stride]
    return Cells(stride, sum(offsets) / len(offsets))


def _stay(cells: Cells, *_args: Any) -> Cells:
    return cells


def _convolve(
    cells: Cells, weight: Tensor, _bias: Any, stride: Any, padding: Any, dilation: Any, *_args: Any
) -> Cells:
    return _slide(cells, weight.shape[-1], stride[-1], padding[-1], dilation[-1])


def _pool(cells: Cells, kernel: Any, stride: Any = (), padding: Any = (0,), *_args: Any) -> Cells:
    return _slide(cells, kernel[-1], (stride or kernel)[-1], padding[-1])


def _pad(cells: Cells, padding: Any, *_args: Any) -> Cells:
    return cells._replace(offset=cells.offset - cells.stride * padding[0])


def _slide(cells: Cells, kernel: int, stride: int, padding: int, dilation: int = 1) -> Cells:
    """Computes the centres of sliding windows; the first starts `padding` cells before the map."""
    centre = (kernel - 1) * dilation / 2 - padding
    return Cells(cells.stride * stride, cells.offset + cells.stride * centre)


MOVES: dict[Any, Callable[..., Cells]] = {
    aten.convolution.default: _convolve,
    aten.max_pool2d_with_indices.default: _pool,
    aten.avg_pool2d.default: _pool,
    aten.constant_pad_nd.default: _pad,
    aten.reflection_pad2d.default: _pad,
    aten.replication_pad2d.default: _pad,
}
