"""The random walk of AffinityNet (psa, Ahn and Kwak, CVPR 2018) spreads scores along affinities.

Letters: B batch, C channels, h x w grid of N cells, P pairs per cell (`ops/affinity.py`).
"""

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor

from wsss_core.ops.affinity import Offset, pair_slices

# Largest number of values in a transition matrix. On a GPU this is 1 GiB of float32, enough for an
# image of 1024 x 1024 pixels at stride 8. On a CPU, products with larger matrices are slower than
# shifts; this is enough for 200 x 200 pixels at stride 8.
MAX_TRANSITIONS = {"cuda": 2**28, "cpu": 2**19}


@torch.no_grad()
def random_walk(
    scores: Tensor,
    affinity: Tensor,
    offsets: Sequence[Offset],
    *,
    beta: float,
    num_steps: int,
) -> Tensor:
    """Spreads scores along affinities: x <- x T, `num_steps` times (psa, infer_aff.py).

    T is the symmetric matrix of affinity ** beta with ones on its diagonal, normalised by column.
    One step makes each cell the weighted mean of itself and its neighbours. psa squares T
    repeatedly, which takes cubic time. Here a step is 2P + 1 shifted products, linear in memory and
    time. Many small operations are slow on a GPU, and on small grids. There a step is one product
    with T, if T fits into MAX_TRANSITIONS values.

    Args:
        scores: float [B, C, h, w].
        affinity: [B, P, h, w] from `pairwise_affinity`; 0 where there is no edge.
        offsets: The P offsets of `affinity`.
        beta: Exponent of the affinities, > 0.
        num_steps: Number of steps.

    Returns:
        [B, C, h, w].
    """
    edges = affinity.to(scores.dtype) ** beta
    most = MAX_TRANSITIONS.get(scores.device.type, 0)
    fits = len(scores) * scores[0, 0].numel() ** 2 <= most
    walk = walk_by_matrix if fits else walk_by_shifts
    return walk(scores, edges, offsets, num_steps=num_steps)


def walk_by_matrix(
    scores: Tensor, edges: Tensor, offsets: Sequence[Offset], *, num_steps: int
) -> Tensor:
    """Walks by products with the matrix T [B, N, N]; `edges` [B, P, h, w] are affinity ** beta."""
    height, width = scores.shape[-2:]
    cells = torch.arange(height * width, device=scores.device).view(height, width)
    slices = list(pair_slices(height, width, offsets))
    matrix = edges.new_zeros(len(edges), (height * width) ** 2)
    if slices:
        sources = torch.cat([cells[source].flatten() for _, source, _ in slices])
        targets = torch.cat([cells[target].flatten() for _, _, target in slices])
        values = torch.cat(
            [edges[:, pair, *source].flatten(1) for pair, source, _ in slices], dim=1
        )
        matrix.index_copy_(1, sources * cells.numel() + targets, values)
        matrix.index_copy_(1, targets * cells.numel() + sources, values)
    matrix = matrix.view(len(edges), cells.numel(), cells.numel())
    matrix.diagonal(dim1=1, dim2=2).fill_(1)
    matrix /= matrix.sum(dim=1, keepdim=True)
    spread = scores.flatten(2)
    for _ in range(num_steps):
        spread = spread @ matrix
    return spread.view_as(scores)


def walk_by_shifts(
    scores: Tensor, edges: Tensor, offsets: Sequence[Offset], *, num_steps: int
) -> Tensor:
    """Walks by shifted products; takes the arguments of `walk_by_matrix`."""
    height, width = scores.shape[-2:]
    weights = _transition_weights(edges, offsets)
    reach = max((max(abs(dy), abs(dx)) for dy, dx in offsets), default=0)
    padded = F.pad(scores, (reach, reach, reach, reach))
    shifts = [(0, 0), *offsets, *((-dy, -dx) for dy, dx in offsets)]
    views = [
        padded[:, :, reach + dy : reach + dy + height, reach + dx : reach + dx + width]
        for dy, dx in shifts
    ]
    step = torch.empty_like(scores)
    for _ in range(num_steps):
        torch.mul(views[0], weights[0], out=step)
        for view, weight in zip(views[1:], weights[1:], strict=True):
            step.addcmul_(view, weight)
        views[0].copy_(step)
    return views[0].clone()


def _transition_weights(edges: Tensor, offsets: Sequence[Offset]) -> list[Tensor]:
    """Returns weights [B, 1, h, w] of a cell, its P targets and its P sources; they add up to 1."""
    height, width = edges.shape[-2:]
    reverse = torch.zeros_like(edges)
    for pair, source, target in pair_slices(height, width, offsets):
        reverse[:, pair, *target] = edges[:, pair, *source]
    total = 1 + edges.sum(dim=1, keepdim=True) + reverse.sum(dim=1, keepdim=True)
    pairs = torch.cat([edges, reverse], dim=1) / total
    return [1 / total, *(weight[:, None].contiguous() for weight in pairs.unbind(dim=1))]
