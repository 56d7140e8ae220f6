"""The pixel graph of AffinityNet (psa, Ahn and Kwak, CVPR 2018): pairs, affinities, random walk.

Letters: B batch, C channels or classes, h x w grid of cells, P pairs per cell. A pair joins the
source cell (y, x) with the cell (y + dy, x + dx); each pair of cells is listed once, by an offset
in the lower half-plane. Everything works by slices of the grid, so nothing grows faster than the
number of cells.
"""

from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

import torch
from torch import Tensor
from torch.autograd.function import once_differentiable

from wsss_core.data.images import IGNORE_INDEX
from wsss_core.ops.grid import Grid, pixels, pool

Offset = tuple[int, int]
Slices = tuple[slice, slice]


class PairTargets(NamedTuple):
    """Which pairs are known to be alike or different; bool [B, P, h, w], at the source cell."""

    background: Tensor
    foreground: Tensor
    negative: Tensor


def pair_offsets(radius: int) -> tuple[Offset, ...]:
    """Offsets (dy, dx) of the half-plane that lie nearer than `radius`: 34 at radius 5 (psa)."""
    reach = range(1 - radius, radius)
    return tuple(
        (dy, dx)
        for dy in range(radius)
        for dx in reach
        if (dy > 0 or dx > 0) and dy * dy + dx * dx < radius * radius
    )


def fitting_radius(radius: int, height: int, width: int) -> int:
    """The radius that psa uses on an h x w grid: smaller where the grid is below 2r + 1 cells."""
    shorter = min(height, width)
    return (shorter - 1) // 2 if shorter < 2 * radius + 1 else radius


def source_region(height: int, width: int, offsets: Sequence[Offset]) -> Slices:
    """Rows and columns of the cells from which every offset stays on the grid.

    These are psa's only source cells: rows [0, h - r + 1), columns [r - 1, w - r + 1).
    """
    down = max((dy for dy, _ in offsets), default=0)
    aside = max((abs(dx) for _, dx in offsets), default=0)
    return slice(0, max(0, height - down)), slice(aside, max(aside, width - aside))


def pair_slices(
    height: int, width: int, offsets: Sequence[Offset]
) -> Iterator[tuple[int, Slices, Slices]]:
    """Yields (p, source, target): where the cells of pair p lie, if both are on the grid."""
    for pair, (dy, dx) in enumerate(offsets):
        rows, columns = max(0, height - dy), max(0, width - abs(dx))
        left = max(0, -dx)
        source = slice(0, rows), slice(left, left + columns)
        target = slice(dy, dy + rows), slice(left + dx, left + dx + columns)
        yield pair, source, target


def pairwise_affinity(features: Tensor, offsets: Sequence[Offset]) -> Tensor:
    """Affinity exp(-mean_c |f_source - f_target|) of each pair (psa, network/resnet38_aff.py).

    Args:
        features: float [B, C, h, w].
        offsets: P offsets (dy, dx) with dy >= 0.

    Returns:
        [B, P, h, w] in [0, 1] at the source cell, 0 where the target is off the grid; float32
        whatever autocast does, since a mean over C is too fine for bf16 (float64 stays).
    """
    precise = features if features.dtype == torch.float64 else features.float()
    affinity: Tensor = _PairwiseAffinity.apply(precise, tuple(offsets))
    return affinity


class _PairwiseAffinity(torch.autograd.Function):
    """Recomputes the differences in backward: kept, they take P times the features' memory."""

    @staticmethod
    def forward(ctx: Any, features: Tensor, offsets: tuple[Offset, ...]) -> Tensor:
        height, width = features.shape[-2:]
        affinity = features.new_zeros(len(features), len(offsets), height, width)
        for pair, source, target in pair_slices(height, width, offsets):
            distance = (features[:, :, *source] - features[:, :, *target]).abs_().mean(dim=1)
            affinity[:, pair, *source] = distance.neg_().exp_()
        ctx.save_for_backward(features, affinity)
        ctx.offsets = offsets
        return affinity

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor, None]:
        features, affinity = ctx.saved_tensors
        C, height, width = features.shape[1:]
        slope = grad * affinity / -C
        grad_features = torch.zeros_like(features)
        for pair, source, target in pair_slices(height, width, ctx.offsets):
            sign = (features[:, :, *source] - features[:, :, *target]).sign_()
            sign *= slope[:, pair, None, *source]
            grad_features[:, :, *source] += sign
            grad_features[:, :, *target] -= sign
        return grad_features, None


def restrict_sources(affinity: Tensor, offsets: Sequence[Offset]) -> Tensor:
    """Removes the edges that start outside `source_region`, as psa's border rule has it.

    Args:
        affinity: [B, P, h, w] at the source cell.
        offsets: The P offsets.
    """
    height, width = affinity.shape[-2:]
    region = source_region(height, width, offsets)
    restricted = torch.zeros_like(affinity)
    restricted[:, :, *region] = affinity[:, :, *region]
    return restricted


def seed_label(seeds: Tensor, *, class_ids: Sequence[int], grid: Grid) -> Tensor:
    """Merges the CRF probabilities under both backgrounds into one label per cell (psa).

    Foreground where the strong background already says so, background where even the weak one
    says so, unknown in between.

    Args:
        seeds: float [2, n, H, W] probabilities under the (strong, weak) background; all zero
            where there is no image.
        class_ids: Class ids of the n labels, background first.
        grid: The cells; probabilities are averaged over each.

    Returns:
        uint8 [*grid.size]: class ids, 255 unknown or outside the image.
    """
    assert class_ids[0] == 0, f"class ids {class_ids}; expected background first"
    pooled = pool(seeds, pixels((seeds.shape[-2], seeds.shape[-1])), grid)
    strong, weak = torch.tensor(class_ids, dtype=torch.uint8)[pooled.argmax(dim=1)]
    label = torch.where(strong == 0, IGNORE_INDEX, strong)
    label = torch.where(weak == 0, 0, label)
    outside = pooled.amax(dim=(0, 1)) == 0
    return torch.where(outside, IGNORE_INDEX, label).to(torch.uint8)


def affinity_targets(label: Tensor, offsets: Sequence[Offset]) -> PairTargets:
    """Says of each pair whether its two cells have the same class (psa, voc12/data.py).

    Pairs with an unknown cell, or whose source is outside `source_region`, are in no set.

    Args:
        label: integer [B, h, w] class ids, 255 unknown.
        offsets: P offsets.
    """
    B, height, width = label.shape
    region = torch.zeros(height, width, dtype=torch.bool, device=label.device)
    region[source_region(height, width, offsets)] = True
    partner = label.new_full((B, len(offsets), height, width), IGNORE_INDEX)
    for pair, source, target in pair_slices(height, width, offsets):
        partner[:, pair, *source] = label[:, *target]
    label = label[:, None]
    known = region & (label != IGNORE_INDEX) & (partner != IGNORE_INDEX)
    alike = known & (label == partner)
    return PairTargets(
        background=alike & (label == 0),
        foreground=alike & (label != 0),
        negative=known & (label != partner),
    )
