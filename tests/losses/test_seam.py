"""Tests of SEAM's losses against hand-worked values and the published formulas."""

from functools import partial

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch.autograd import gradcheck

from wsss_core.losses.classification import classification_loss
from wsss_core.losses.seam import (
    adaptive_min_loss,
    cross_refinement_loss,
    equivariance_loss,
)

SHAPES = st.tuples(*(st.integers(1, n) for n in (2, 3, 5, 5)))


def rand(*shape: int, seed: int = 0) -> torch.Tensor:
    generator = torch.Generator().manual_seed(seed)
    return torch.rand(shape, generator=generator, dtype=torch.float64)


def labels(batch: int, classes: int, seed: int = 0) -> torch.Tensor:
    return (rand(batch, classes, seed=seed) < 0.5).double()


def adaptive_min(refined: torch.Tensor, label: torch.Tensor) -> torch.Tensor:
    """Of the CAM of all classes [B, K, H, W]."""
    return adaptive_min_loss((refined * label[:, :, None, None]).amax(1))


def test_adaptive_min_by_hand():
    """Of 8 pixels, the 2 where the present class responds least: 0.1 and 0.2."""
    refined = torch.tensor([0.5, 0.2, 0.9, 0.1, 0.3, 0.6, 0.7, 0.8]).view(1, 1, 2, 4)
    absent = torch.ones(1, 1, 2, 4)
    label = torch.tensor([[1.0, 0.0]])
    loss = adaptive_min(torch.cat([refined, absent], dim=1), label)
    assert loss.item() == pytest.approx(0.15)


@given(shape=SHAPES, seed=st.integers(0, 99))
@settings(max_examples=30)
def test_adaptive_min_as_the_formula(shape, seed):
    shape = (shape[0], shape[1], shape[2] + 1, shape[3] + 1)
    refined, label = rand(*shape, seed=seed), labels(*shape[:2], seed=seed + 1)
    total = 0.0
    for cam, present in zip(refined.numpy(), label.numpy(), strict=True):
        strongest = sorted(max(cam[:, y, x] * present) for y, x in np.ndindex(shape[2:]))
        total += np.mean(strongest[: len(strongest) // 4])
    assert adaptive_min(refined, label).item() == pytest.approx(total / shape[0])


def test_adaptive_min_is_zero_where_no_class_is_present():
    assert adaptive_min(rand(2, 3, 4, 4), torch.zeros(2, 3)) == 0


def test_equivariance_by_hand():
    cam, other = torch.tensor([0.0, 0.5, 1.0, 0.2]), torch.tensor([0.5, 0.5, 0.0, 0.0])
    loss = equivariance_loss(cam.view(1, 2, 1, 2), other.view(1, 2, 1, 2))
    assert loss.item() == pytest.approx(1.7 / 4)


def test_equivariance_is_symmetric_and_zero_on_equal_maps():
    cam, other = rand(2, 3, 4, 4, seed=0), rand(2, 3, 4, 4, seed=1)
    assert equivariance_loss(cam, cam) == 0
    assert equivariance_loss(cam, other) == equivariance_loss(other, cam)


@pytest.mark.parametrize(
    ("background", "expected"),
    [("everywhere", (0.3 + 0.9) / 2), ("where_strongest", (0.5 + 0.9) / 2)],
)
def test_cross_refinement_by_hand(background, expected):
    """Beside the class of 0.8 background counts as 0.2, 0.3 off, or as 0, 0.5 off."""
    target = torch.tensor([[0.6, 0.2], [0.4, 0.8], [0.3, 0.1]]).view(1, 3, 1, 2)
    refined = torch.tensor([[0.5, 0.5], [0.3, -0.1], [0.2, 0.0]]).view(1, 3, 1, 2)
    loss = cross_refinement_loss(refined, target, top_fraction=1 / 3, background=background)
    assert loss.item() == pytest.approx(expected)


@given(
    shape=SHAPES,
    seed=st.integers(0, 99),
    top_fraction=st.sampled_from([0.2, 0.5, 1.0]),
    background=st.sampled_from(["everywhere", "where_strongest"]),
)
@settings(max_examples=30)
def test_cross_refinement_as_the_formula(shape, seed, top_fraction, background):
    shape = (shape[0], shape[1] + 1, shape[2] + 1, shape[3] + 1)
    refined, target = rand(*shape, seed=seed), rand(*shape, seed=seed + 1)
    count = int(np.prod(shape[1:]) * top_fraction)
    means = []
    for image in range(shape[0]):
        differences = []
        for channel, y, x in np.ndindex(shape[1:]):
            rivals = target[image, int(background == "everywhere") :, y, x]
            stays = background == "everywhere" and channel == 0
            wins = target[image, channel, y, x] == rivals.max()
            wanted = target[image, channel, y, x].item() if stays or wins else 0.0
            differences.append(abs(wanted - refined[image, channel, y, x].item()))
        means.append(np.mean(sorted(differences, reverse=True)[:count]))
    loss = cross_refinement_loss(refined, target, top_fraction=top_fraction, background=background)
    assert loss.item() == pytest.approx(np.mean(means))


def test_the_share_of_the_reference():
    """21 classes on 134 x 134 pixels: the reference takes the 75,415 largest differences."""
    size = 21 * 134 * 134
    differences = torch.arange(size, dtype=torch.float64) / size
    loss = cross_refinement_loss(
        differences.view(1, 21, 134, 134), torch.zeros(1, 21, 134, 134), top_fraction=0.2
    )
    assert loss.item() == pytest.approx(differences[-75_415:].mean().item(), abs=1e-12)


def test_of_few_elements_at_least_one_counts():
    cam = torch.tensor([[[[0.25]], [[0.5]]]])
    label = torch.ones(1, 2)
    assert adaptive_min(cam, label) == 0.5
    assert cross_refinement_loss(cam, torch.zeros_like(cam), top_fraction=0.2) == 0.5


def test_no_gradient_reaches_the_target():
    refined = rand(1, 3, 2, 2, seed=0).requires_grad_()
    target = rand(1, 3, 2, 2, seed=1).requires_grad_()
    cross_refinement_loss(refined, target, top_fraction=0.5).backward()
    assert target.grad is None
    assert refined.grad.count_nonzero() == 6


def test_gradients():
    cam, other = (rand(2, 3, 3, 4, seed=s).requires_grad_() for s in (0, 1))
    label = labels(2, 3, seed=3)
    assert gradcheck(classification_loss, (cam, label))
    assert gradcheck(adaptive_min, (cam, label))
    assert gradcheck(equivariance_loss, (cam, other))
    for background in ("everywhere", "where_strongest"):
        assert gradcheck(
            lambda x, background=background: cross_refinement_loss(
                x, other, top_fraction=0.3, background=background
            ),
            (cam,),
        )


@pytest.mark.parametrize("num_classes", [1, 2])
def test_a_label_of_other_classes_is_refused(num_classes):
    with pytest.raises(ValueError, match=rf"label has shape \(1, {num_classes}\); .* \(1, 3\)"):
        classification_loss(rand(1, 3, 4, 4), labels(1, num_classes))


@pytest.mark.parametrize(
    "loss", [equivariance_loss, partial(cross_refinement_loss, top_fraction=0.2)]
)
def test_maps_of_another_size_are_refused(loss):
    with pytest.raises(ValueError, match=r"has shape \(1, 3, 1, 4\); expected \(1, 3, 4, 4\)"):
        loss(rand(1, 3, 4, 4), rand(1, 3, 1, 4))
