"""Which images the paper's figures show where the config names none: chosen by a rule each.

The paper does not say which images its figures show.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

Labels = Mapping[str, NDArray[np.uint8]]  # multi-hot [K] by image
Scores = Mapping[str, float]  # mean IoU of one method, percent, by image


class Row(NamedTuple):
    """An image, and the class whose CAM is shown; None: the highest of all its classes."""

    image_id: str
    class_id: int | None = None


def largest_gains(
    labels: Labels, image_ids: Sequence[str], ours: Scores, baseline: Scores, count: int
) -> list[Row]:
    """Takes the images that gain most, each of another class as long as there are others.

    Images of one class alone come first, whose CAM is one picture.

    Args:
        labels: of the images.
        image_ids: to choose from.
        ours: scores of the paper's method.
        baseline: scores of what it is compared with.
        count: how many.
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
    """Takes the classes that lose most, and of each the image that loses most.

    Args:
        labels: of the images.
        image_ids: to choose from.
        ours: scores of the paper's method.
        baseline: scores of what it is compared with.
        class_changes: ours less the baseline's IoU of each of the K classes; NaN: not known.
        count: how many classes.
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
