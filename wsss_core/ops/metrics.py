"""Scores of masks, and of score maps at all background thresholds, against ground truth.

Letters: C classes with background, T thresholds.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from wsss_core.data.images import IGNORE_INDEX

NUM_THRESHOLDS = 100


def confusion_matrix(
    gt: NDArray[np.uint8], pred: NDArray[np.uint8], num_classes: int
) -> NDArray[np.int64]:
    """Counts the pixels of each pair of a true and a predicted class.

    Args:
        gt: uint8, any shape, class indices; pixels with 255 are not counted.
        pred: uint8, same shape, class indices.
        num_classes: C, with background.

    Returns:
        int64 [C, C]: ground truth by row, prediction by column.

    Raises:
        ValueError: The shapes differ, or a class index is C or more.
    """
    if gt.shape != pred.shape:
        raise ValueError(f"prediction has shape {pred.shape}; expected {gt.shape}")
    counted = gt != IGNORE_INDEX
    gt, pred = gt[counted], pred[counted]
    for name, indices in (("ground truth", gt), ("prediction", pred)):
        if indices.size and indices.max() >= num_classes:
            raise ValueError(f"{name} has class {indices.max()}; expected 0 to {num_classes - 1}")
    pairs = np.bincount(gt.astype(np.intp) * num_classes + pred, minlength=num_classes**2)
    return pairs.reshape(num_classes, num_classes).astype(np.int64)


def class_iou(confusion: NDArray[np.int64]) -> NDArray[np.float64]:
    """Computes each class's intersection over union.

    Args:
        confusion: int [..., C, C], ground truth by row, prediction by column.

    Returns:
        float64 [..., C] in [0, 1]; NaN for a class that is neither in the ground truth nor in the
        prediction, because its union is empty.
    """
    right = np.diagonal(confusion, axis1=-2, axis2=-1)
    return intersection_over_union(right, confusion.sum(axis=-1), confusion.sum(axis=-2))


def intersection_over_union(
    right: NDArray[Any], truth: NDArray[Any], predicted: NDArray[Any]
) -> NDArray[np.float64]:
    """Divides the intersection of ground truth and prediction by their union.

    Args:
        right: Number of pixels of a class that were predicted as this class, any shape.
        truth: Number of pixels of the class in the ground truth, same shape.
        predicted: Number of pixels that were predicted as the class, same shape.

    Returns:
        float64 of the same shape, in [0, 1]; NaN where the union is empty.
    """
    union = truth + predicted - right
    return np.divide(right, union, out=np.full(union.shape, np.nan), where=union > 0)


def mean_iou(confusion: NDArray[np.int64]) -> NDArray[np.float64]:
    """Averages the intersection over union over the classes, background included.

    A class counts if at least one pixel belongs to it or is predicted as it. A class that is
    predicted but not in the ground truth scores 0. A class with an empty union is left out, since
    the images say nothing about it. PASCAL VOC's splits contain every class, so that the mean there
    is always over all 21.

    Args:
        confusion: int [..., C, C], ground truth by row, prediction by column.

    Returns:
        float64 [...] in [0, 1]; NaN where no pixel was counted.
    """
    iou = class_iou(confusion)
    num_defined = np.isfinite(iou).sum(axis=-1)
    total = np.nansum(iou, axis=-1)
    return np.divide(total, num_defined, out=np.full(total.shape, np.nan), where=num_defined > 0)


class ThresholdSweep:
    """Computes the confusion matrices of score maps for all background thresholds in one pass.

    At threshold t, a pixel gets the class with the highest score if this score is greater than t,
    and is background otherwise. A score equal to t gives background, as in psa and SEAM
    (evaluation.py): background has the constant score t and comes first, and argmax takes the first
    of equal scores. A pixel therefore matters only by its true class, its best class and the number
    of thresholds below its score. One joint histogram of the three gives all confusion matrices.

    Attributes:
        thresholds: float64 [T], 0.00 to 0.99 in steps of 0.01.
        histogram: int64 [C, C, T + 1], number of pixels by true class, best class (0 if no score is
            positive) and number of thresholds below the score.
    """

    def __init__(self, num_classes: int) -> None:
        """Starts without pixels; `num_classes` is C, with background."""
        self.num_classes = num_classes
        self.thresholds = np.arange(NUM_THRESHOLDS) / NUM_THRESHOLDS
        self.histogram = np.zeros((num_classes, num_classes, NUM_THRESHOLDS + 1), dtype=np.int64)

    def add(
        self, gt: NDArray[np.uint8], class_ids: Sequence[int], cam_scores: NDArray[np.floating]
    ) -> None:
        """Counts the pixels of one image.

        Args:
            gt: uint8 [H, W] class indices; pixels with 255 are not counted.
            class_ids: The foreground class, 1..C-1, of each of the n maps. Of equal scores, the
                first map wins.
            cam_scores: float [n, H, W] in [0, 1].

        Raises:
            ValueError: The sizes differ, or a class index is C or more.
        """
        if cam_scores.shape != (len(class_ids), *gt.shape):
            expected = (len(class_ids), *gt.shape)
            raise ValueError(f"scores have shape {cam_scores.shape}; expected {expected}")
        counted = gt != IGNORE_INDEX
        best, score = (plane[counted] for plane in best_class(class_ids, cam_scores))
        # Compare in the precision of the scores: a score stored as 0.1 equals the threshold 0.1.
        passed = np.searchsorted(self.thresholds.astype(score.dtype), score, side="left")
        truth = gt[counted].astype(np.intp)
        if truth.size and truth.max() >= self.num_classes:
            limit = self.num_classes - 1
            raise ValueError(f"ground truth has class {truth.max()}; expected 0 to {limit}")
        cell = np.ravel_multi_index((truth, best, passed), self.histogram.shape)
        self.histogram += np.bincount(cell, minlength=self.histogram.size).reshape(
            self.histogram.shape
        )

    def merge(self, other: ThresholdSweep) -> None:
        """Adds the pixels that another sweep has counted."""
        self.histogram += other.histogram

    def confusion_matrices(self) -> NDArray[np.int64]:
        """Returns int64 [T, C, C], one confusion matrix for each threshold."""
        # above[..., k]: pixels whose score is above threshold k, so above more than k thresholds.
        above = self.histogram[..., ::-1].cumsum(axis=-1)[..., ::-1][..., 1:]
        confusion = np.moveaxis(above, -1, 0).copy()
        all_pixels = self.histogram.sum(axis=(1, 2))  # [C]
        confusion[:, :, 0] = all_pixels - confusion[:, :, 1:].sum(axis=-1)
        return confusion

    def mean_iou(self) -> NDArray[np.float64]:
        """Returns float64 [T], the mean IoU at each threshold."""
        return mean_iou(self.confusion_matrices())

    def best_threshold(self) -> int:
        """Returns the index of the threshold with the highest mean IoU; of equals, the lowest."""
        miou = self.mean_iou()
        return int(np.argmax(np.where(np.isnan(miou), -1, miou)))


def best_class(
    class_ids: Sequence[int], scores: NDArray[np.floating]
) -> tuple[NDArray[np.intp], NDArray[np.floating]]:
    """Finds each pixel's best class and its score.

    Args:
        class_ids: The class of each of the n maps.
        scores: float [n, H, W], not negative.

    Returns:
        The class indices, intp [H, W], and their scores, float [H, W]. Both are 0 where no score is
        above 0.
    """
    best = np.zeros(scores.shape[1:], dtype=np.intp)
    score = np.zeros(scores.shape[1:], dtype=scores.dtype)
    # Much faster than argmax over the first axis, since there are only a few maps.
    for class_id, class_scores in zip(class_ids, scores, strict=True):
        np.copyto(best, class_id, where=class_scores > score)
        np.maximum(score, class_scores, out=score)
    return best, score
