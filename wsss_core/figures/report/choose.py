"""Chooses the images that the report shows: a fixed number, however large the dataset is."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from wsss_core.figures.qualitative_results import choose_images

NUM_IMAGES = 56
# Numbers out of NUM_IMAGES. The others are sampled, each class about equally often.
NUM_WORST, NUM_BEST, NUM_GAIN, NUM_LOSS = 16, 8, 8, 8


def choose_shown(
    labels: Mapping[str, NDArray[np.uint8]],
    image_ids: Sequence[str],
    scores: Mapping[str, float],
    others: Sequence[Mapping[str, float]],
) -> list[str]:
    """Chooses the images: worst, best, largest gains, largest losses, then a sample.

    Args:
        labels: uint8 [K] multi-hot label by image id.
        image_ids: Ids to choose from.
        scores: Scores of the headline method, by image id; empty: all images are sampled.
        others: Scores of the other methods. Gains and losses are against their mean.

    Returns:
        At most NUM_IMAGES ids.
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
    """Finds the shown image whose score is closest to the median of all images."""
    median = float(np.median([*scores.values()])) if scores else 0.0
    return min(shown, key=lambda image_id: abs(scores.get(image_id, 0.0) - median))
