"""threshold_sweep: scoring CAMs at 100 background thresholds."""

from collections.abc import Sequence

import numpy as np
import torch
from numpy.typing import NDArray

from benchmarks.pictures import NUM_CLASSES, mask, score_maps, two_classes
from benchmarks.rows import Row
from benchmarks.timing import compare, name_of, scaled
from wsss_core.data.images import IGNORE_INDEX
from wsss_core.ops.metrics import NUM_THRESHOLDS, ThresholdSweep


def one_by_one(
    gt: NDArray[np.uint8], class_ids: Sequence[int], scores: NDArray[np.float32]
) -> NDArray[np.int64]:
    """Counts in the usual way: an argmax over all classes per threshold, then class by class.

    Returns:
        int64 [T, C, 3]: true positives, ground truth, predictions.
    """
    counts = np.zeros((NUM_THRESHOLDS, NUM_CLASSES + 1, 3), dtype=np.int64)
    counted = gt != IGNORE_INDEX
    for index in range(NUM_THRESHOLDS):
        maps = np.zeros((NUM_CLASSES + 1, *gt.shape), dtype=np.float32)
        maps[0] = index / NUM_THRESHOLDS
        for class_id, class_scores in zip(class_ids, scores, strict=True):
            maps[class_id] = class_scores
        prediction = maps.argmax(axis=0)
        for k in range(NUM_CLASSES + 1):
            true, predicted = (gt == k) & counted, (prediction == k) & counted
            counts[index, k] = (true & predicted).sum(), true.sum(), predicted.sum()
    return counts


def run(device: torch.device) -> list[Row]:
    """Usual: threshold by threshold. Ours: one histogram for all thresholds."""
    rng = np.random.default_rng(0)
    class_ids = two_classes(rng)
    gt, scores = mask(rng, class_ids), score_maps(rng, len(class_ids))

    def ours() -> NDArray[np.int64]:
        sweep = ThresholdSweep(NUM_CLASSES + 1)
        sweep.add(gt, class_ids, scores)
        return sweep.confusion_matrices()

    def usual() -> NDArray[np.int64]:
        return one_by_one(gt, class_ids, scores)

    confusion, counts = ours(), usual()
    assert np.array_equal(confusion.diagonal(axis1=1, axis2=2), counts[..., 0])
    assert np.array_equal(confusion.sum(axis=1), counts[..., 2])
    milliseconds = scaled(compare(ours, usual, repetitions=3), 1000)
    return [Row("threshold_sweep", *milliseconds, "ms/image", "100x", name_of(device))]
