"""Counts the floating-point operations (FLOPs) of our networks; a multiply-add counts as two.

A forward pass on torch's device "meta", which has shapes but no numbers, finds all products.

Letters: B batch, C classes, D channels, N cells.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any, cast

from torch import Tensor, nn

from wsss_core.models.deeplab import Aspp
from wsss_core.models.folding import FoldedConv2d
from wsss_core.models.seam import PixelCorrelation


@dataclass(frozen=True)
class Product:
    """A matrix product or a convolution.

    Attributes:
        flops: FLOPs of the product itself. The gradient of each operand takes the same number
            again.
        learning: Number of operands that have a gradient.
        kept: Number of values that are kept for the backward pass.
    """

    flops: int
    learning: int
    kept: int


@dataclass
class Cost:
    """The cost of all products in a forward pass, and in a backward pass that may follow."""

    products: list[Product] = field(default_factory=list)

    @property
    def forward(self) -> int:
        """FLOPs of the forward pass."""
        return sum(product.flops for product in self.products)

    @property
    def training(self) -> int:
        """FLOPs of the forward and the backward pass."""
        return sum(product.flops * (1 + product.learning) for product in self.products)

    @property
    def kept(self) -> int:
        """Number of values that are kept for the backward pass."""
        return sum(product.kept for product in self.products)


@contextmanager
def counted(network: nn.Module) -> Iterator[Cost]:
    """Counts the products that the network computes inside this context."""
    cost = Cost()
    hooks = []
    for module in network.modules():
        formula = next((f for kind, f in FORMULAS.items() if isinstance(module, kind)), None)
        if formula is not None:
            hooks.append(module.register_forward_hook(_adding(formula, cost)))
    try:
        yield cost
    finally:
        for hook in hooks:
            hook.remove()


Formula = Callable[[Any, tuple[Any, ...], Tensor], list[Product]]


def _adding(formula: Formula, cost: Cost) -> Callable[[nn.Module, tuple[Any, ...], Tensor], None]:
    def add(module: nn.Module, inputs: tuple[Any, ...], output: Tensor) -> None:
        cost.products += formula(module, inputs, output)

    return add


def _convolution(conv: nn.Conv2d, inputs: tuple[Tensor], output: Tensor) -> list[Product]:
    """Counts a convolution: each output is a sum over a kernel's taps in its group's channels."""
    flops = 2 * output.numel() * conv.weight[0].numel()
    return [_product(flops, output, conv.weight, inputs[0])]


def _product(flops: int, output: Tensor, weight: Tensor, x: Tensor) -> Product:
    """Counts a product of a weight with features, which are kept for the weight's gradient."""
    learns = output.requires_grad  # False if gradients are switched off
    kept = x.numel() if learns and weight.requires_grad else 0
    learning = int(weight.requires_grad) + int(x.requires_grad) if learns else 0
    return Product(flops, learning, kept)


def _folded(module: FoldedConv2d, inputs: tuple[Tensor], output: Tensor) -> list[Product]:
    return _convolution(module.conv, inputs, output)


def _aspp(head: Aspp, inputs: tuple[Tensor], output: Tensor) -> list[Product]:
    """Counts the product of all branches' taps with the features."""
    x = inputs[0]
    branches = [cast(nn.Conv2d, branch) for branch in head.branches]
    taps = sum(branch.weight.numel() for branch in branches)
    flops = 2 * taps * (x.numel() // x.shape[1])
    return [_product(flops, output, branches[0].weight, x)]


def _correlation(pcm: PixelCorrelation, _: tuple[Any, ...], output: Tensor) -> list[Product]:
    """Counts N x N affinities of embeddings, and their product with scores without gradient.

    The module's convolutions are counted separately.
    """
    B, C = output.shape[:2]
    N = output[0, 0].numel()
    learns = int(output.requires_grad)
    affinities = B * N * N
    return [
        Product(2 * affinities * pcm.embed.out_channels, 2 * learns, affinities * learns),
        Product(2 * affinities * C, learns, affinities * learns),
    ]


FORMULAS: dict[type[nn.Module], Formula] = {
    FoldedConv2d: _folded,
    nn.Conv2d: _convolution,
    Aspp: _aspp,
    PixelCorrelation: _correlation,
}
