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
    """Computes the cross-entropy of affinities, as one mean for each set of known pairs (psa).

    Most pairs are background pairs, so they would dominate a common mean. The mean of an empty set
    is 0, with gradient 0.

    Args:
        affinity: [B, P, h, w] in [0, 1].
        targets: The pairs of the same class (background, foreground) and of two classes (negative).
        eps: Added in logarithms and denominators, so that they stay finite.
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
