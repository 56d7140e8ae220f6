"""Which images the page shows: a fixed number of them, however large the dataset is."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from wsss_core.figures.qualitative_results import choose_images

NUM_IMAGES = 56
# Of these; the others are sampled so that each class is shown about equally often.
NUM_WORST, NUM_BEST, NUM_GAIN, NUM_LOSS = 16, 8, 8, 8


def choose_shown(
    labels: Mapping[str, NDArray[np.uint8]],
    image_ids: Sequence[str],
    scores: Mapping[str, float],
    others: Sequence[Mapping[str, float]],
) -> list[str]:
    """Chooses the images, the worst first and those that were sampled last.

    Args:
        labels: uint8 [K] multi-hot label by image.
        image_ids: what to choose from.
        scores: by image, of the method that the page is headed by; empty: all are sampled.
        others: the same of other methods; gain and loss are against their mean.

    Returns:
        At most NUM_IMAGES ids; all where there are no more.
    """
    ranked = sorted(scores, key=lambda image_id: (scores[image_id], image_id))
    chosen = [*ranked[:NUM_WORST], *reversed(ranked[-NUM_BEST:])]
    if others:
        gain = {
            image_id: scores[image_id] - float(np.mean([other[image_id] for other in others]))
            for image_id in ranked
        }
        by_gain = sorted(gain, key=lambda image_id: (gain[image_id], image_id))
        chosen += [*reversed(by_gain[-NUM_GAIN:]), *by_gain[:NUM_LOSS]]
    chosen = list(dict.fromkeys(chosen))
    left = [image_id for image_id in image_ids if image_id not in set(chosen)]
    sampled = choose_images(labels, left, NUM_IMAGES - len(chosen))
    return [*chosen, *sampled][:NUM_IMAGES]


def median_image(scores: Mapping[str, float], shown: Sequence[str]) -> str:
    """Finds the shown image whose score is next to the median of all."""
    median = float(np.median([*scores.values()])) if scores else 0.0
    return min(shown, key=lambda image_id: abs(scores.get(image_id, 0.0) - median))
