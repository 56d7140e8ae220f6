"""Scores of masks against ground truth, and of score maps at every background threshold at once.

C is the number of classes with background, T the number of thresholds.
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
    """Counts the pixels of each pair of true and predicted class.

    Args:
        gt: uint8, any shape, class indices; pixels of 255 are not counted.
        pred: uint8, same shape, class indices.
        num_classes: C, with background.

    Returns:
        int64 [C, C]: ground truth by row, prediction by column.

    Raises:
        ValueError: The shapes differ, or there is a class index of C or more.
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
        confusion: int [..., C, C], ground truth by row.

    Returns:
        float64 [..., C] in [0, 1]; NaN for a class that is neither in the ground truth nor
        predicted anywhere, whose union is empty.
    """
    right = np.diagonal(confusion, axis1=-2, axis2=-1)
    return intersection_over_union(right, confusion.sum(axis=-1), confusion.sum(axis=-2))


def intersection_over_union(
    right: NDArray[Any], truth: NDArray[Any], predicted: NDArray[Any]
) -> NDArray[np.float64]:
    """Divides pixels that are right by those of a class in truth or in the prediction.

    Args:
        right: Pixels of a class that were predicted as it, any shape.
        truth: Pixels of the class, same shape.
        predicted: Pixels that were predicted as it, same shape.

    Returns:
        float64 of that shape, in [0, 1]; NaN where the union is empty.
    """
    union = truth + predicted - right
    return np.divide(right, union, out=np.full(union.shape, np.nan), where=union > 0)


def mean_iou(confusion: NDArray[np.int64]) -> NDArray[np.float64]:
    """Averages the intersection over union of the classes, background among them.

    A class counts as soon as one pixel is of it or is predicted as it: predicting a class that is
    nowhere scores 0 for it. Only a class with an empty union, about which the images say nothing,
    is left out. PASCAL VOC's splits have every class, so there this is the mean over all 21.

    Args:
        confusion: int [..., C, C], ground truth by row.

    Returns:
        float64 [...] in [0, 1]; NaN where no pixel was counted.
    """
    iou = class_iou(confusion)
    num_defined = np.isfinite(iou).sum(axis=-1)
    total = np.nansum(iou, axis=-1)
    return np.divide(total, num_defined, out=np.full(total.shape, np.nan), where=num_defined > 0)


class ThresholdSweep:
    """Confusion matrices of score maps for all background thresholds, from one pass over them.

    At threshold t a pixel gets the class with the highest score if that score is > t, strictly,
    and is background otherwise (psa and SEAM, evaluation.py: background has the constant score t,
    comes first, and argmax takes the first of equals). So per pixel only its best class and the
    number of thresholds below its score matter, and a joint histogram of the two and the true
    class holds every threshold's confusion matrix.

    Attributes:
        thresholds: float64 [T], 0.00 to 0.99 in steps of 0.01.
        histogram: int64 [C, C, T + 1]: pixels by true class, best class (0: the image has none)
            and number of thresholds below the score.
    """

    def __init__(self, num_classes: int) -> None:
        """Starts from no pixels; `num_classes` is C, with background."""
        self.num_classes = num_classes
        self.thresholds = np.arange(NUM_THRESHOLDS) / NUM_THRESHOLDS
        self.histogram = np.zeros((num_classes, num_classes, NUM_THRESHOLDS + 1), dtype=np.int64)

    def add(
        self, gt: NDArray[np.uint8], class_ids: Sequence[int], cam_scores: NDArray[np.floating]
    ) -> None:
        """Counts the pixels of one image.

        Args:
            gt: uint8 [H, W] class indices; pixels of 255 are not counted.
            class_ids: foreground class, 1..C-1, of each of the n maps; equal scores go to the
                first of them.
            cam_scores: float [n, H, W] in [0, 1].

        Raises:
            ValueError: The sizes differ, or there is a class index of C or more.
        """
        if cam_scores.shape != (len(class_ids), *gt.shape):
            expected = (len(class_ids), *gt.shape)
            raise ValueError(f"scores have shape {cam_scores.shape}; expected {expected}")
        counted = gt != IGNORE_INDEX
        best, score = (plane[counted] for plane in best_class(class_ids, cam_scores))
        # Thresholds in the scores' own precision, so that a score stored as 0.1 equals 0.1.
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
        # [.., k]: pixels above threshold k, that is, above more than k thresholds.
        above = self.histogram[..., ::-1].cumsum(axis=-1)[..., ::-1][..., 1:]
        confusion = np.moveaxis(above, -1, 0).copy()
        all_pixels = self.histogram.sum(axis=(1, 2))  # [C]
        confusion[:, :, 0] = all_pixels - confusion[:, :, 1:].sum(axis=-1)
        return confusion

    def mean_iou(self) -> NDArray[np.float64]:
        """Returns float64 [T], the mean IoU at each threshold."""
        return mean_iou(self.confusion_matrices())

    def best_threshold(self) -> int:
        """Returns the index of the threshold with the highest mean IoU, the lowest of equals."""
        miou = self.mean_iou()
        return int(np.argmax(np.where(np.isnan(miou), -1, miou)))


def best_class(
    class_ids: Sequence[int], scores: NDArray[np.floating]
) -> tuple[NDArray[np.intp], NDArray[np.floating]]:
    """Finds each pixel's best class and its score.

    Args:
        class_ids: the class of each of the n maps.
        scores: float [n, H, W], not negative.

    Returns:
        The class indices, intp [H, W], and the scores, float [H, W]; class 0 where no score is
        above 0.
    """
    best = np.zeros(scores.shape[1:], dtype=np.intp)
    score = np.zeros(scores.shape[1:], dtype=scores.dtype)
    # Far faster than argmax over the first axis, as there are only a few maps.
    for class_id, class_scores in zip(class_ids, scores, strict=True):
        np.copyto(best, class_id, where=class_scores > score)
        np.maximum(score, class_scores, out=score)
    return best, score
