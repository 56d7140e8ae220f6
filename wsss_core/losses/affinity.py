"""The three losses of AffinityNet."""

from typing import NamedTuple

import torch
from torch import Tensor

from wsss_core.losses.shapes import expect_shape
from wsss_core.ops.affinity import PairTargets


class AffinityLosses(NamedTuple):
    """Unweighted scalar losses; psa weights them 1/4, 1/4 and 1/2."""

    background: Tensor
    foreground: Tensor
    negative: Tensor


def affinity_loss(affinity: Tensor, targets: PairTargets, *, eps: float = 1e-5) -> AffinityLosses:
    """Cross-entropy of the affinities, averaged over each set of known pairs by itself (psa).

    Background pairs are by far the most, so that a common mean would drown the others. The mean
    of an empty set is 0, with gradient 0.

    Args:
        affinity: [B, P, h, w] in [0, 1].
        targets: The sets of alike and of different pairs.
        eps: Keeps logarithms and means finite.
    """
    for name, members in targets._asdict().items():
        expect_shape(f"set of {name} pairs", members, affinity.shape)
    alike = -torch.log(affinity + eps)
    different = -torch.log(1 + eps - affinity)
    return AffinityLosses(
        background=_mean_over(alike, targets.background, eps),
        foreground=_mean_over(alike, targets.foreground, eps),
        negative=_mean_over(different, targets.negative, eps),
    )


def _mean_over(loss: Tensor, members: Tensor, eps: float) -> Tensor:
    return (loss * members).sum() / (members.sum() + eps)
