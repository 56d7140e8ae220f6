"""Tests of bootstrap intervals: their coverage of the true value, and paired differences."""

import numpy as np
import pytest

from wsss_core.ops.bootstrap import interval, resampled_miou


def some_images(generator: np.random.Generator, count: int, *, skill: float) -> np.ndarray:
    """Images of 1000 pixels in two classes, [N, 3, 2], some of which are harder than others."""
    object_size = generator.integers(100, 500, size=count)
    hard = np.clip(skill + 0.15 * generator.standard_normal((count, 2)), 0, 1)
    found = (hard[:, 0] * object_size).astype(int)
    false = ((1 - hard[:, 1]) * 0.3 * (1000 - object_size)).astype(int)
    right = np.stack([1000 - object_size - false, found], axis=1)
    truth = np.stack([1000 - object_size, object_size], axis=1)
    predicted = np.stack([right[:, 0] + object_size - found, found + false], axis=1)
    return np.stack([right, truth, predicted], axis=1)


def miou(counts: np.ndarray) -> float:
    right, truth, predicted = counts.sum(axis=0)
    return float(np.mean(right / (truth + predicted - right)))


def test_value_by_hand() -> None:
    # One image, so each resample is that image: IoU 2/4 and 1/3.
    counts = np.array([[[2, 1], [3, 2], [3, 2]]])
    assert resampled_miou(counts) == pytest.approx((2 / 4 + 1 / 3) / 2)


def test_interval_covers_the_truth_as_often_as_it_says() -> None:
    generator = np.random.default_rng(1)
    truth = miou(some_images(generator, 200_000, skill=0.7))
    trials = 300
    covered = 0
    for trial in range(trials):
        sample = some_images(generator, 80, skill=0.7)
        low, high = interval(resampled_miou(sample, seed=trial))
        covered += low <= truth <= high
    # 0.95 less what percentile intervals of 80 images lack, and three standard errors of 0.0126.
    assert 0.90 <= covered / trials <= 0.985


def improved(first: np.ndarray) -> np.ndarray:
    """Another method on the same images: it fails on the same ones, but finds 20 pixels more."""
    second = first.copy()
    gain = np.minimum(20, first[:, 1, 1] - first[:, 0, 1])
    second[:, 0, 1] += gain
    second[:, 2, 1] += gain
    second[:, 2, 0] -= gain
    return second


def test_paired_interval_covers_the_difference_and_is_narrower_than_one_score_s() -> None:
    generator = np.random.default_rng(2)
    everything = some_images(generator, 200_000, skill=0.7)
    truth = miou(improved(everything)) - miou(everything)
    trials, covered = 300, 0
    for trial in range(trials):
        first = some_images(generator, 80, skill=0.7)
        samples = [resampled_miou(counts, seed=trial) for counts in (first, improved(first))]
        low, high = interval(samples[1] - samples[0])
        covered += low <= truth <= high
        alone = interval(samples[0])
        assert high - low < 0.5 * (alone[1] - alone[0])
    assert 0.90 <= covered / trials <= 0.985  # as above


def test_a_class_that_no_drawn_image_has_is_left_out() -> None:
    counts = np.zeros((2, 3, 2), dtype=np.int64)
    counts[:, :, 0] = 10
    counts[0, 1, 1] = 5  # the second class is in the first image alone, and never found
    samples = resampled_miou(counts)
    assert set(np.round(samples, 6)) == {0.5, 1.0}
