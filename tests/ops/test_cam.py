"""Tests of the algebra of CAMs against hand-worked values and plain loops."""

import numpy as np
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import array_shapes, arrays

from wsss_core.ops.cam import (
    EPS,
    add_background,
    foreground_score,
    keep_strongest,
    normalize_cam,
)

MAPS = arrays(
    np.float64,
    array_shapes(min_dims=4, max_dims=4, max_side=4),
    elements=st.floats(-3, 3, width=32),
)


def normalize_plainly(cam: np.ndarray) -> np.ndarray:
    """SEAM's max_norm, one class of one image after the other."""
    result = np.zeros_like(cam)
    for index in np.ndindex(cam.shape[:2]):
        scores = np.maximum(cam[index], 0)
        low, high = scores.min(), scores.max()
        for pixel, score in np.ndenumerate(scores):
            result[index][pixel] = max(score - low - 1e-5, 0) / (high - low + 1e-5)
    return result


def test_normalizes_by_hand():
    cam = torch.tensor([[[-1.0, 1.0], [3.0, 5.0]]], dtype=torch.float64)
    expected = torch.tensor([[[0, 1 - EPS], [3 - EPS, 5 - EPS]]], dtype=torch.float64) / (5 + EPS)
    torch.testing.assert_close(normalize_cam(cam), expected)


def test_the_minimum_counts_only_where_it_is_positive():
    cam = torch.tensor([[2.0, 3.0, 4.0]]).view(1, 1, 3)
    torch.testing.assert_close(
        normalize_cam(cam).flatten(), torch.tensor([0, 0.5, 1]), atol=2e-5, rtol=0
    )


@given(cam=MAPS)
@settings(max_examples=50)
def test_normalizes_as_a_plain_loop_does(cam):
    normalized = normalize_cam(torch.from_numpy(cam))
    torch.testing.assert_close(normalized, torch.from_numpy(normalize_plainly(cam)))
    assert 0 <= normalized.min() and normalized.max() <= 1


def test_empty_constant_and_negative_maps_are_zero():
    for value in (0.0, 7.0, -2.0):
        assert normalize_cam(torch.full((2, 3, 4, 4), value)).count_nonzero() == 0
    assert normalize_cam(torch.zeros(0, 5, 6)).shape == (0, 5, 6)


def test_normalizing_commutes_with_flipping():
    cam = torch.randn(2, 3, 5, 7, generator=torch.Generator().manual_seed(0))
    assert torch.equal(normalize_cam(cam.flip(-1)), normalize_cam(cam).flip(-1))


def test_background_is_what_the_strongest_class_leaves():
    cam = torch.tensor([0.25, 0.75]).view(1, 2, 1, 1)
    assert add_background(cam).flatten().tolist() == [0.25, 0.25, 0.75]
    cam = torch.rand(2, 3, 4, 5, generator=torch.Generator().manual_seed(0))
    with_background = add_background(cam)
    assert torch.equal(with_background[:, 1:], cam)
    torch.testing.assert_close(with_background[:, 0] + cam.amax(1), torch.ones(2, 4, 5))


def test_the_strongest_keeps_its_value_and_the_argument_stays():
    score = torch.tensor([[0.2, 0.5], [0.9, 0.5], [0.1, 0.3]]).view(1, 3, 1, 2)
    before = score.clone()
    kept = keep_strongest(score).view(3, 2)
    assert torch.equal(kept, torch.tensor([[0, 0.5], [0.9, 0.5], [0, 0]]))
    assert torch.equal(score, before)


@given(score=MAPS)
@settings(max_examples=50)
def test_keeps_the_strongest_as_a_plain_loop_does(score):
    score = np.abs(score)
    expected = np.zeros_like(score)
    for image, channel, y, x in np.ndindex(score.shape):
        if score[image, channel, y, x] == score[image, :, y, x].max():
            expected[image, channel, y, x] = score[image, channel, y, x]
    assert np.array_equal(keep_strongest(torch.from_numpy(score)).numpy(), expected)


def test_gradients():
    generator = torch.Generator().manual_seed(0)
    cam = torch.rand(2, 3, 3, 4, generator=generator, dtype=torch.float64).requires_grad_()
    for operation in (normalize_cam, add_background, keep_strongest):
        assert torch.autograd.gradcheck(operation, cam)


def test_the_foreground_score_by_hand():
    """Scores 0.25 to 0.75, flat, flat and high; the class that is absent does not count."""
    low, high = np.log(1 / 3), np.log(3)
    cam_logits = torch.tensor([[low, high, 0], [1, 1, 1], [9, 9, 9], [-9, 9, 0]]).view(1, 4, 1, 3)
    label = torch.tensor([[1.0, 1.0, 1.0, 0.0]])
    torch.testing.assert_close(foreground_score(cam_logits, label), torch.tensor(0.5 / 3))


def test_without_a_class_nothing_is_flat():
    assert foreground_score(torch.zeros(2, 3, 4, 4), torch.zeros(2, 3)) == 1
