"""Rules that choose the images of the paper's figures if the config names none.

The paper does not say which images its figures show.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

Labels = Mapping[str, NDArray[np.uint8]]  # uint8 [K] multi-hot label by image id
Scores = Mapping[str, float]  # mean IoU of one method in percent, by image id


class Row(NamedTuple):
    """An image, and the class whose CAM is shown; None: the maximum over its classes."""

    image_id: str
    class_id: int | None = None


def largest_gains(
    labels: Labels, image_ids: Sequence[str], ours: Scores, baseline: Scores, count: int
) -> list[Row]:
    """Chooses the images with the largest gains, of different classes as long as possible.

    Images with a single class come first, since a single CAM shows all of their result.

    Args:
        labels: Labels of the images.
        image_ids: Ids to choose from.
        ours: Scores of the paper's method.
        baseline: Scores of the method to compare with.
        count: Number of images.
    """

    def gain(image_id: str) -> tuple[bool, float, str]:
        several = int(labels[image_id].sum()) != 1
        return several, baseline[image_id] - ours[image_id], image_id

    ranked = sorted(image_ids, key=gain)
    seen: set[int] = set()
    first: list[str] = []
    later: list[str] = []
    for image_id in ranked:
        classes = set(np.flatnonzero(labels[image_id]).tolist())
        (later if classes & seen else first).append(image_id)
        seen |= classes
    return [Row(image_id) for image_id in [*first, *later][:count]]


def largest_losses(
    labels: Labels,
    image_ids: Sequence[str],
    ours: Scores,
    baseline: Scores,
    class_changes: Sequence[float],
    count: int,
) -> list[Row]:
    """Chooses the classes with the largest losses, and the image with the largest loss of each.

    Args:
        labels: Labels of the images.
        image_ids: Ids to choose from.
        ours: Scores of the paper's method.
        baseline: Scores of the method to compare with.
        class_changes: For each of the K classes: IoU of ours minus that of the baseline; NaN:
            unknown.
        count: Number of classes.
    """
    changes = np.asarray(class_changes, dtype=float)
    worst = [int(k) for k in np.argsort(np.where(np.isnan(changes), np.inf, changes))[:count]]
    rows: list[Row] = []
    for k in worst:
        taken = {row.image_id for row in rows}
        of_class = [i for i in image_ids if labels[i][k] and i not in taken]
        if of_class:
            image_id = min(of_class, key=lambda i: (ours[i] - baseline[i], i))
            rows.append(Row(image_id, k + 1))
    return rows
