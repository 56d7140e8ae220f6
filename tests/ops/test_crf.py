"""Tests of the dense CRF against a plain mean field over all pairs of pixels, and of its effect."""

import numpy as np
import pytest

from wsss_core.config.crf import CrfConfig
from wsss_core.ops.crf import dense_crf

PARAMETERS = CrfConfig().model_dump()


def mean_field(image, prob, p):
    """Mean field over all pairs, with the symmetrically normalised kernels of pydensecrf."""
    num_labels, height, width = prob.shape
    ys, xs = np.mgrid[:height, :width]
    place = np.stack([xs, ys], axis=-1).reshape(-1, 2).astype(float)
    colour = image.reshape(-1, 3).astype(float)

    def kernel(features):
        distance = ((features[:, None] - features[None]) ** 2).sum(axis=-1)
        weights = np.exp(-distance / 2)
        norm = 1 / np.sqrt(weights.sum(axis=1))
        return weights * norm[:, None] * norm[None]

    message = p["gaussian_compat"] * kernel(place / p["gaussian_sxy"]) + p[
        "bilateral_compat"
    ] * kernel(np.concatenate([place / p["bilateral_sxy"], colour / p["bilateral_srgb"]], axis=1))
    unary = np.log(np.clip(prob, 1e-5, 1)).reshape(num_labels, -1)
    q = np.exp(unary) / np.exp(unary).sum(axis=0)
    for _ in range(p["iterations"]):
        score = unary + q @ message
        q = np.exp(score - score.max(axis=0))
        q /= q.sum(axis=0)
    return q.reshape(prob.shape)


@pytest.fixture
def half_and_half():
    """A dark and a light half, and scores that tell them apart in a few pixels only."""
    image = np.full((24, 24, 3), 40, dtype=np.uint8)
    image[:, 12:] = 200
    prob = np.full((2, 24, 24), 0.5, dtype=np.float32)
    prob[0, 4:8, 2:6], prob[1, 4:8, 2:6] = 0.9, 0.1
    prob[0, 14:18, 17:21], prob[1, 14:18, 17:21] = 0.1, 0.9
    return image, prob


def test_scores_spread_up_to_a_colour_edge(half_and_half):
    refined = dense_crf(*half_and_half, **PARAMETERS)
    assert refined.dtype == np.float32
    assert (refined.argmax(axis=0)[:, :12] == 0).all()
    assert (refined.argmax(axis=0)[:, 12:] == 1).all()


def test_sums_to_one_over_labels(half_and_half):
    refined = dense_crf(*half_and_half, **PARAMETERS)
    np.testing.assert_allclose(refined.sum(axis=0), 1, atol=1e-5)


def test_close_to_an_exact_mean_field():
    """The lattice only approximates Gaussian filtering, hence the tolerance."""
    rng = np.random.default_rng(0)
    image = np.zeros((12, 14, 3), dtype=np.uint8)
    image[3:9, 4:11] = (160, 90, 30)
    image += rng.integers(0, 8, image.shape, dtype=np.uint8)
    prob = rng.uniform(0.3, 0.7, (3, 12, 14)).astype(np.float32)
    prob[1, 4:8, 5:10] += 0.25
    parameters = PARAMETERS | {"iterations": 2, "gaussian_compat": 1.0, "bilateral_compat": 1.0}
    refined = dense_crf(image, prob, **parameters)
    exact = mean_field(image, prob, parameters)
    assert np.abs(refined - exact).mean() < 0.02
    assert (refined.argmax(axis=0) == exact.argmax(axis=0)).mean() > 0.95


def test_without_pairwise_terms_it_only_normalises():
    rng = np.random.default_rng(0)
    prob = rng.uniform(0.1, 1, (3, 5, 6)).astype(np.float32)
    image = rng.integers(0, 256, (5, 6, 3), dtype=np.uint8)
    parameters = PARAMETERS | {"gaussian_compat": 0.0, "bilateral_compat": 0.0}
    np.testing.assert_allclose(dense_crf(image, prob, **parameters), prob / prob.sum(0), atol=1e-5)


def test_zero_scores_are_finite():
    image = np.zeros((6, 6, 3), dtype=np.uint8)
    prob = np.zeros((2, 6, 6), dtype=np.float32)
    prob[0, :, :3] = 1
    assert np.isfinite(dense_crf(image, prob, **PARAMETERS)).all()


def test_leading_axes_are_separate_problems(half_and_half):
    image, prob = half_and_half
    both = np.stack([prob, prob[::-1] ** 2])
    refined = dense_crf(image, both, **PARAMETERS)
    for scores, result in zip(both, refined, strict=True):
        np.testing.assert_array_equal(result, dense_crf(image, scores, **PARAMETERS))


def test_strided_input_and_arguments_left_alone(half_and_half):
    image, prob = half_and_half
    before = image.copy(), prob.copy()
    refined = dense_crf(image[:, ::-1], prob[:, :, ::-1], **PARAMETERS)
    assert np.abs(refined[:, :, ::-1] - dense_crf(image, prob, **PARAMETERS)).mean() < 0.02
    np.testing.assert_array_equal(image, before[0])
    np.testing.assert_array_equal(prob, before[1])


def test_scores_of_another_size_are_a_mistake():
    with pytest.raises(AssertionError, match="scores"):
        dense_crf(np.zeros((4, 4, 3), np.uint8), np.ones((2, 4, 5), np.float32), **PARAMETERS)
