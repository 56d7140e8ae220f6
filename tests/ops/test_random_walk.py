"""Tests of the random walk, by shifts and by matrix, against squared dense matrices."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.ops.test_affinity import dense_affinity, edges
from wsss_core.ops.affinity import fitting_radius, pair_offsets, pairwise_affinity
from wsss_core.ops.random_walk import random_walk, walk_by_matrix, walk_by_shifts

WAYS = pytest.mark.parametrize("way", [walk_by_shifts, walk_by_matrix])


def dense_random_walk(scores, matrix, beta, log2_steps):
    transition = matrix**beta
    transition = transition / transition.sum(axis=0, keepdims=True)
    for _ in range(log2_steps):
        transition = transition @ transition
    return (scores.reshape(len(scores), -1) @ transition).reshape(scores.shape)


@WAYS
@pytest.mark.parametrize("psa_border", [True, False])
@pytest.mark.parametrize("size", [(11, 13), (9, 14), (2, 6), (1, 1), (5, 3)])
def test_a_walk_matches_squared_matrices(size, psa_border, way):
    generator = torch.Generator().manual_seed(0)
    features = torch.randn(2, 6, *size, generator=generator, dtype=torch.float64)
    scores = torch.rand(2, 3, *size, generator=generator, dtype=torch.float64)
    radius = fitting_radius(5, *size) if psa_border else 5
    offsets = pair_offsets(radius)
    affinity = edges(features, offsets, psa_border=psa_border)
    walked = way(scores, affinity**8.0, offsets, num_steps=2**6)
    for image in range(2):
        matrix = dense_affinity(features[image].numpy(), radius, psa_border=psa_border)
        expected = dense_random_walk(scores[image].numpy(), matrix, 8.0, 6)
        np.testing.assert_allclose(walked[image].numpy(), expected, atol=1e-12)


@WAYS
@given(
    height=st.integers(1, 14),
    width=st.integers(1, 14),
    steps=st.integers(0, 40),
    beta=st.floats(0.5, 16),
    seed=st.integers(0, 99),
)
@settings(max_examples=40)
def test_a_walk_is_a_mean_and_treats_mirror_images_alike(way, height, width, steps, beta, seed):
    generator = torch.Generator().manual_seed(seed)
    features = torch.randn(1, 4, height, width, generator=generator, dtype=torch.float64)
    scores = torch.rand(1, 2, height, width, generator=generator, dtype=torch.float64)
    offsets = pair_offsets(5)

    def walk(features, scores):
        affinity = pairwise_affinity(features, offsets).to(scores)
        return way(scores, affinity**beta, offsets, num_steps=steps)

    walked = walk(features, scores)
    assert scores.min() - 1e-9 <= walked.min() <= walked.max() <= scores.max() + 1e-9
    ones = torch.ones_like(scores)
    torch.testing.assert_close(walk(features, ones), ones)
    torch.testing.assert_close(walk(features.flip(-1), scores.flip(-1)).flip(-1), walked)


def test_a_walk_by_hand():
    """Two cells with an affinity of 1/2, squared by beta: 4/5 of a cell's score stays there."""
    scores = torch.tensor([[[[1.0, 0.0]]]])
    affinity = torch.tensor([[[[0.5, 0.0]]]])
    walked = [
        random_walk(scores, affinity, [(0, 1)], beta=2, num_steps=steps).flatten().tolist()
        for steps in (1, 2)
    ]
    assert walked[0] == pytest.approx([0.8, 0.2])
    assert walked[1] == pytest.approx([0.68, 0.32])


def test_a_walk_stays_within_unconnected_halves():
    features = torch.zeros(1, 1, 6, 8)
    features[..., 4:] = 1e3
    scores = torch.rand(1, 1, 6, 8)
    offsets = pair_offsets(3)
    walked = random_walk(
        scores, pairwise_affinity(features, offsets), offsets, beta=8.0, num_steps=2**10
    )
    for half in (slice(0, 4), slice(4, 8)):
        assert scores[..., half].min() < walked[..., half].min()
        assert walked[..., half].std() < 1e-5


def test_a_walk_leaves_its_arguments():
    scores = torch.rand(1, 2, 6, 6)
    affinity = torch.rand(1, 12, 6, 6)
    before = scores.clone(), affinity.clone()
    random_walk(scores, affinity, pair_offsets(3), beta=2.0, num_steps=3)
    assert torch.equal(scores, before[0])
    assert torch.equal(affinity, before[1])


@given(
    height=st.integers(1, 12),
    width=st.integers(1, 12),
    steps=st.integers(0, 64),
    batch=st.integers(1, 2),
)
@settings(max_examples=30)
def test_both_ways_are_one_walk(height, width, steps, batch):
    generator = torch.Generator().manual_seed(height * width)
    features = torch.randn(batch, 4, height, width, generator=generator, dtype=torch.float64)
    scores = torch.rand(batch, 3, height, width, generator=generator, dtype=torch.float64)
    offsets = pair_offsets(5)
    affinity = pairwise_affinity(features, offsets) ** 8
    by_shifts = walk_by_shifts(scores, affinity, offsets, num_steps=steps)
    by_matrix = walk_by_matrix(scores, affinity, offsets, num_steps=steps)
    torch.testing.assert_close(by_matrix, by_shifts, rtol=1e-12, atol=1e-12)
