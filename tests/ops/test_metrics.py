"""Tests of metrics against hand-worked values, and against one threshold at a time."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from wsss_core.ops.metrics import ThresholdSweep, class_iou, confusion_matrix, mean_iou

NUM_CLASSES = 4


def plain_confusion(gt: np.ndarray, pred: np.ndarray) -> np.ndarray:
    confusion = np.zeros((NUM_CLASSES, NUM_CLASSES), dtype=np.int64)
    for true_class, predicted_class in zip(gt.ravel(), pred.ravel(), strict=True):
        if true_class != 255:
            confusion[true_class, predicted_class] += 1
    return confusion


def plain_prediction(
    class_ids: tuple[int, ...], scores: np.ndarray, threshold: float
) -> np.ndarray:
    """SEAM, evaluation.py: a constant background score, then argmax over all classes."""
    planes = np.zeros((NUM_CLASSES, *scores.shape[1:]), dtype=np.float32)
    planes[0] = threshold
    for class_id, plane in zip(class_ids, scores, strict=True):
        planes[class_id] = plane
    return planes.argmax(axis=0).astype(np.uint8)


def random_image(seed: int) -> tuple[np.ndarray, tuple[int, ...], np.ndarray]:
    rng = np.random.default_rng(seed)
    gt = rng.choice([0, 1, 2, 3, 255], size=(6, 5)).astype(np.uint8)
    class_ids = tuple(int(k) for k in np.flatnonzero(rng.random(3) < 0.6) + 1)
    scores = rng.random((len(class_ids), 6, 5), dtype=np.float32)
    # Many scores on a threshold, several equal and some zero: the cases that can go wrong.
    return gt, class_ids, np.where(rng.random(scores.shape) < 0.5, np.round(scores, 1), scores)


def test_iou_by_hand() -> None:
    gt = np.array([[0, 0, 1, 1, 255]], dtype=np.uint8)
    pred = np.array([[0, 1, 1, 2, 3]], dtype=np.uint8)
    confusion = confusion_matrix(gt, pred, NUM_CLASSES)
    assert confusion.tolist() == [[1, 1, 0, 0], [0, 1, 1, 0], [0, 0, 0, 0], [0, 0, 0, 0]]
    # Class 2 is predicted but not there: 0. Class 3 is neither: undefined, left out.
    np.testing.assert_allclose(class_iou(confusion), [1 / 2, 1 / 3, 0, np.nan])
    assert mean_iou(confusion) == pytest.approx((1 / 2 + 1 / 3) / 3)


def test_nothing_counted_is_undefined() -> None:
    assert np.isnan(mean_iou(np.zeros((3, 3), dtype=np.int64)))


@settings(max_examples=30)
@given(seed=st.integers(0, 10_000))
def test_confusion_matches_plain_loop(seed: int) -> None:
    rng = np.random.default_rng(seed)
    gt = rng.choice([0, 1, 2, 3, 255], size=(4, 7)).astype(np.uint8)
    pred = rng.integers(0, NUM_CLASSES, size=(4, 7)).astype(np.uint8)
    confusion = confusion_matrix(gt, pred, NUM_CLASSES)
    np.testing.assert_array_equal(confusion, plain_confusion(gt, pred))
    perfect = class_iou(confusion_matrix(pred, pred, NUM_CLASSES))
    assert (perfect[np.isfinite(perfect)] == 1).all()


@settings(max_examples=30)
@given(seed=st.integers(0, 10_000))
def test_sweep_matches_one_threshold_at_a_time(seed: int) -> None:
    images = [random_image(seed), random_image(seed + 1)]
    sweep = ThresholdSweep(NUM_CLASSES)
    for gt, class_ids, scores in images:
        sweep.add(gt, class_ids, scores)
    matrices = sweep.confusion_matrices()
    assert matrices.shape == (100, NUM_CLASSES, NUM_CLASSES)
    for threshold, confusion in zip(sweep.thresholds, matrices, strict=True):
        expected = sum(
            plain_confusion(gt, plain_prediction(class_ids, scores, threshold))
            for gt, class_ids, scores in images
        )
        np.testing.assert_array_equal(confusion, expected)


def test_foreground_needs_more_than_the_threshold() -> None:
    sweep = ThresholdSweep(2)
    sweep.add(np.ones((1, 1), dtype=np.uint8), (1,), np.full((1, 1, 1), 0.07, dtype=np.float32))
    assert sweep.confusion_matrices()[:, 1, 1].tolist() == [1] * 7 + [0] * 93


def test_image_without_classes_is_background() -> None:
    sweep = ThresholdSweep(2)
    sweep.add(np.zeros((2, 2), dtype=np.uint8), (), np.zeros((0, 2, 2), dtype=np.float32))
    assert (sweep.confusion_matrices()[:, 0, 0] == 4).all()


def test_best_threshold_by_hand() -> None:
    sweep = ThresholdSweep(2)
    gt = np.array([[0, 1]], dtype=np.uint8)
    sweep.add(gt, (1,), np.array([[[0.25, 0.6]]], dtype=np.float32))
    # Right for 0.25 <= t < 0.6, and 0.25 is the lowest such step.
    assert sweep.thresholds[sweep.best_threshold()] == 0.25
    assert sweep.mean_iou()[sweep.best_threshold()] == 1


def test_merge_is_a_sum() -> None:
    parts = [ThresholdSweep(NUM_CLASSES), ThresholdSweep(NUM_CLASSES)]
    whole = ThresholdSweep(NUM_CLASSES)
    for seed, part in enumerate(parts):
        part.add(*random_image(seed))
        whole.add(*random_image(seed))
    parts[0].merge(parts[1])
    np.testing.assert_array_equal(parts[0].histogram, whole.histogram)


def test_what_does_not_fit_is_named() -> None:
    mask = np.zeros((2, 3), dtype=np.uint8)
    with pytest.raises(ValueError, match=r"prediction has shape \(3, 2\); expected \(2, 3\)"):
        confusion_matrix(mask, mask.T, 2)
    with pytest.raises(ValueError, match="prediction has class 2; expected 0 to 1"):
        confusion_matrix(mask, mask + 2, 2)
    with pytest.raises(ValueError, match="ground truth has class 2; expected 0 to 1"):
        confusion_matrix(mask + 2, mask, 2)
    with pytest.raises(ValueError, match=r"scores have shape \(1, 3, 2\); expected \(1, 2, 3\)"):
        ThresholdSweep(2).add(mask, (1,), np.zeros((1, 3, 2), dtype=np.float32))
    with pytest.raises(ValueError, match="ground truth has class 2; expected 0 to 1"):
        ThresholdSweep(2).add(mask + 2, (1,), np.zeros((1, 2, 3), dtype=np.float32))
