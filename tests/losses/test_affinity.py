"""Tests of AffinityNet's losses: hand-worked values, no pairs at all, and gradients."""

import math

import numpy as np
import pytest
import torch

from wsss_core.losses.affinity import affinity_loss
from wsss_core.ops.affinity import PairTargets, affinity_targets, pair_offsets, pairwise_affinity


def test_by_hand():
    affinity = torch.tensor([[[[0.5, 0.25, 0.1, 0.9, 1.0]]]])
    losses = affinity_loss(
        affinity,
        PairTargets(
            background=torch.tensor([[[[1, 1, 0, 0, 0]]]], dtype=torch.bool),
            foreground=torch.tensor([[[[0, 0, 0, 0, 1]]]], dtype=torch.bool),
            negative=torch.tensor([[[[0, 0, 1, 1, 0]]]], dtype=torch.bool),
        ),
    )
    assert losses.background.item() == pytest.approx((math.log(2) + math.log(4)) / 2, abs=1e-4)
    assert losses.foreground.item() == pytest.approx(0, abs=1e-4)
    assert losses.negative.item() == pytest.approx(-(math.log(0.9) + math.log(0.1)) / 2, abs=1e-4)


def test_as_a_loop_over_all_pairs():
    generator = torch.Generator().manual_seed(0)
    offsets = pair_offsets(3)
    affinity = torch.rand(2, len(offsets), 6, 7, generator=generator, dtype=torch.float64)
    targets = affinity_targets(torch.randint(0, 3, (2, 6, 7), generator=generator), offsets)
    sums = {name: [0.0, 0] for name in targets._fields}
    for index in np.ndindex(affinity.shape):
        value = float(affinity[index])
        for name, members in targets._asdict().items():
            if members[index]:
                term = 1 - value if name == "negative" else value
                sums[name][0] -= math.log(term + 1e-5)
                sums[name][1] += 1
    losses = affinity_loss(affinity, targets)._asdict()
    assert losses.keys() == sums.keys()
    for name, (total, count) in sums.items():
        assert losses[name].item() == pytest.approx(total / (count + 1e-5), rel=1e-6)  # float32


def test_without_pairs_all_is_zero():
    affinity = torch.tensor([[[[0.0, 1.0]]]], requires_grad=True)
    none = torch.zeros_like(affinity, dtype=torch.bool)
    losses = affinity_loss(affinity, PairTargets(none, none, none))
    assert [loss.item() for loss in losses] == [0, 0, 0]
    sum(losses).backward()
    assert (affinity.grad == 0).all()


def test_extreme_affinities_are_finite():
    affinity = torch.tensor([[[[0.0, 1.0]]]], requires_grad=True)
    everywhere = torch.ones_like(affinity, dtype=torch.bool)
    losses = affinity_loss(affinity, PairTargets(everywhere, everywhere, everywhere))
    sum(losses).backward()
    assert all(loss.isfinite() for loss in losses)
    assert affinity.grad.isfinite().all()


def test_gradient_down_to_the_features():
    generator = torch.Generator().manual_seed(0)
    features = torch.randn(2, 3, 6, 7, generator=generator, dtype=torch.float64)
    features.requires_grad_()
    label = torch.randint(0, 3, (2, 6, 7), generator=generator)
    label[:, 0, 0] = 255
    offsets = pair_offsets(2)
    targets = affinity_targets(label, offsets)
    assert all(members.any() for members in targets)

    def losses(features):
        return tuple(affinity_loss(pairwise_affinity(features, offsets), targets))

    assert torch.autograd.gradcheck(losses, features)


def test_descent_pulls_alike_cells_together_and_others_apart():
    features = torch.randn(1, 4, 6, 9, generator=torch.Generator().manual_seed(0))
    features.requires_grad_()
    label = torch.zeros(1, 6, 9, dtype=torch.long)
    label[..., 4:] = 1
    offsets = pair_offsets(3)
    targets = affinity_targets(label, offsets)
    optimizer = torch.optim.Adam([features], lr=0.1)
    for _ in range(100):
        affinity = pairwise_affinity(features, offsets)
        optimizer.zero_grad()
        sum(affinity_loss(affinity, targets)).backward()
        optimizer.step()
    assert affinity[targets.background | targets.foreground].mean() > 0.8
    assert affinity[targets.negative].mean() < 0.2


def test_targets_of_another_grid_are_refused():
    targets = PairTargets(*(torch.zeros(1, 2, 3, 3, dtype=torch.bool) for _ in range(3)))
    with pytest.raises(ValueError, match=r"set of background pairs has shape \(1, 2, 3, 3\); "):
        affinity_loss(torch.ones(1, 2, 3, 4), targets)
