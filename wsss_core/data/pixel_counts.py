"""A CSV file with the confusion matrix of each image.

It is enough to compute, for any set of images: scores of single images, confidence intervals,
precision and recall, and scores near true boundaries.
"""

from __future__ import annotations

import io
from collections.abc import Iterable, Mapping
from pathlib import Path

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from wsss_core.data.images import IGNORE_INDEX
from wsss_core.runtime.checked_text import checked_file, read_checked
from wsss_core.runtime.errors import UserError

COLUMNS = ("split", "image", "true", "predicted", "pixels", "near_boundary")

Cells = NDArray[np.int64]  # [n, 4]: true class, predicted class, pixels, pixels near a boundary


def count_pixels(gt: NDArray[np.uint8], pred: NDArray[np.uint8], near: NDArray[np.bool_]) -> Cells:
    """Counts the pixels of one image for each pair of true and predicted class.

    Args:
        gt: uint8 [H, W] true class indices; pixels with 255 are not counted.
        pred: uint8 [H, W] predicted class indices.
        near: bool [H, W], whether a pixel is near a true boundary.

    Returns:
        A row for each pair that occurs.
    """
    counted = gt != IGNORE_INDEX
    pairs = gt[counted].astype(np.intp) * 256 + pred[counted]
    pixels = np.bincount(pairs)
    of_these = np.bincount(pairs[near[counted]], minlength=len(pixels))
    found = np.flatnonzero(pixels)
    return np.stack([*np.divmod(found, 256), pixels[found], of_these[found]], axis=1)


def write_pixel_counts(path: Path, splits: Iterable[tuple[str, Mapping[str, Cells]]]) -> None:
    """Writes the counts of each image of each split as CSV, with the columns COLUMNS."""
    rows = (
        (split, image_id, *cell)
        for split, images in splits
        for image_id, cells in images.items()
        for cell in cells
    )
    with checked_file(path) as partial_path:
        pd.DataFrame(rows, columns=list(COLUMNS)).to_csv(
            partial_path, index=False, lineterminator="\n"
        )


def read_pixel_counts(path: Path) -> pd.DataFrame:
    """Reads a file of write_pixel_counts: one row per image and pair of classes."""
    try:
        counts = pd.read_csv(
            io.StringIO(read_checked(path)),
            dtype={"split": str, "image": str},
            keep_default_na=False,
            na_values=[],
        )
    except (OSError, ValueError) as error:
        raise UserError(f"{path}: not a table of pixel counts ({error})") from error
    if tuple(counts.columns) != COLUMNS:
        raise UserError(f"{path}: columns are not {','.join(COLUMNS)}")
    return counts


def confusion_of(counts: pd.DataFrame, num_classes: int, *, column: str = "pixels") -> Cells:
    """Sums rows of read_pixel_counts to a confusion matrix.

    Args:
        counts: Rows of any images.
        num_classes: C, with background.
        column: "pixels" counts all pixels, "near_boundary" those near a true boundary.

    Returns:
        int64 [C, C]; rows are true classes, columns are predicted classes.
    """
    confusion = np.zeros((num_classes, num_classes), dtype=np.int64)
    np.add.at(
        confusion, (counts["true"].to_numpy(), counts["predicted"].to_numpy()), counts[column]
    )
    return confusion


def class_counts(counts: pd.DataFrame, num_classes: int) -> tuple[list[str], NDArray[np.int64]]:
    """Counts the pixels of each class in each image, in three ways.

    Args:
        counts: Rows of one split.
        num_classes: C, with background.

    Returns:
        The ids of the N images, sorted, and int64 [N, 3, C]: pixels that are predicted correctly,
        pixels of the true class, pixels that are predicted as the class.
    """
    images, index = np.unique(counts["image"].to_numpy(dtype=str), return_inverse=True)
    right = np.zeros((len(images), num_classes), dtype=np.int64)
    truth, prediction = np.zeros_like(right), np.zeros_like(right)
    true, predicted = counts["true"].to_numpy(), counts["predicted"].to_numpy()
    pixels = counts["pixels"].to_numpy()
    np.add.at(right, (index, true), np.where(true == predicted, pixels, 0))
    np.add.at(truth, (index, true), pixels)
    np.add.at(prediction, (index, predicted), pixels)
    return images.tolist(), np.stack([right, truth, prediction], axis=1)
