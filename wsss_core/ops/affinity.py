"""The pixel graph of AffinityNet (psa, Ahn and Kwak, CVPR 2018): pairs, affinities, targets.

Letters: B batch, C channels or classes, h x w grid of cells, P pairs per cell.

A pair joins the source cell (y, x) with the target cell (y + dy, x + dx). Only offsets of the
lower half-plane are listed, so that each pair occurs once. All functions work on slices of the
grid. Their memory therefore grows linearly with the number of cells.
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
    """Masks of the pairs with a known relation; each is bool [B, P, h, w], at the source cell.

    Attributes:
        background: Both cells are background.
        foreground: Both cells have the same foreground class.
        negative: The two cells have different classes.
    """

    background: Tensor
    foreground: Tensor
    negative: Tensor


def pair_offsets(radius: int) -> tuple[Offset, ...]:
    """Lists the offsets (dy, dx) of the half-plane shorter than `radius`: 34 at radius 5 (psa)."""
    reach = range(1 - radius, radius)
    return tuple(
        (dy, dx)
        for dy in range(radius)
        for dx in reach
        if (dy > 0 or dx > 0) and dy * dy + dx * dx < radius * radius
    )


def fitting_radius(radius: int, height: int, width: int) -> int:
    """Returns psa's radius for an h x w grid: smaller if a side is below 2 * radius + 1 cells."""
    shorter = min(height, width)
    return (shorter - 1) // 2 if shorter < 2 * radius + 1 else radius


def source_region(height: int, width: int, offsets: Sequence[Offset]) -> Slices:
    """Returns the rows and columns of the cells whose targets all lie on the grid.

    psa uses only these cells as sources: rows [0, h - r + 1), columns [r - 1, w - r + 1).
    """
    down = max((dy for dy, _ in offsets), default=0)
    aside = max((abs(dx) for _, dx in offsets), default=0)
    return slice(0, max(0, height - down)), slice(aside, max(aside, width - aside))


def pair_slices(
    height: int, width: int, offsets: Sequence[Offset]
) -> Iterator[tuple[int, Slices, Slices]]:
    """Yields (p, source, target) for each pair p: the slices of its cells that lie on the grid."""
    for pair, (dy, dx) in enumerate(offsets):
        rows, columns = max(0, height - dy), max(0, width - abs(dx))
        left = max(0, -dx)
        source = slice(0, rows), slice(left, left + columns)
        target = slice(dy, dy + rows), slice(left + dx, left + dx + columns)
        yield pair, source, target


def pairwise_affinity(features: Tensor, offsets: Sequence[Offset]) -> Tensor:
    """Computes each pair's affinity, exp(-mean_c |f_source - f_target|) (psa, resnet38_aff.py).

    Args:
        features: float [B, C, h, w].
        offsets: P offsets (dy, dx) with dy >= 0.

    Returns:
        [B, P, h, w] in [0, 1] at the source cell, 0 where the target is off the grid. The result is
        float64 for float64 features and float32 otherwise, also under autocast: bf16 is too coarse
        for a mean over C.
    """
    precise = features if features.dtype == torch.float64 else features.float()
    affinity: Tensor = _PairwiseAffinity.apply(precise, tuple(offsets))
    return affinity


class _PairwiseAffinity(torch.autograd.Function):
    """Computes affinities; recomputes the differences in backward.

    Storing the differences would take P times the memory of the features.
    """

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
    """Sets the affinity to 0 where the source lies outside `source_region` (psa's border rule).

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
    """Merges the CRF probabilities for two background strengths into one label per cell (psa).

    A cell is foreground if it is foreground even with the strong background. It is background if
    it is background even with the weak background. All other cells are unknown.

    Args:
        seeds: float [2, n, H, W]; probabilities with the strong background, then with the weak one.
            Pixels outside the image are 0 in all of them.
        class_ids: Class ids of the n labels, background first.
        grid: The cells; probabilities are averaged over each cell.

    Returns:
        uint8 [*grid.size]: class ids; 255 where unknown or outside the image.
    """
    assert class_ids[0] == 0, f"class ids {class_ids}; expected background first"
    pooled = pool(seeds, pixels((seeds.shape[-2], seeds.shape[-1])), grid)
    strong, weak = torch.tensor(class_ids, dtype=torch.uint8)[pooled.argmax(dim=1)]
    label = torch.where(strong == 0, IGNORE_INDEX, strong)
    label = torch.where(weak == 0, 0, label)
    outside = pooled.amax(dim=(0, 1)) == 0
    return torch.where(outside, IGNORE_INDEX, label).to(torch.uint8)


def affinity_targets(label: Tensor, offsets: Sequence[Offset]) -> PairTargets:
    """Finds the pairs whose cells have the same class or different classes (psa, voc12/data.py).

    A pair is in no set if one of its cells is unknown or if its source lies outside
    `source_region`.

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
