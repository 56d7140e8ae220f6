"""Confidence intervals of a mean IoU, from a bootstrap over the images.

The predicted masks are fixed. If a threshold was chosen on the same images, it is fixed as well:
the interval does not include the uncertainty of that choice.

Letters: N images, C classes with background, B resamples.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from wsss_core.ops.metrics import intersection_over_union

NUM_RESAMPLES = 1000
CONFIDENCE = 0.95


def resampled_miou(counts: NDArray[np.int64], *, seed: int = 0) -> NDArray[np.float64]:
    """Computes the mean IoU of B resamples: N images, drawn with replacement.

    The same N and seed always draw the same images. The results of two methods on the same images
    can therefore be compared pairwise.

    Args:
        counts: int64 [N, 3, C], numbers of pixels by image and class: correctly predicted,
            in the ground truth, in the prediction.
        seed: Seed of the draws.

    Returns:
        float64 [B] in [0, 1]. Each mean leaves out classes that none of its drawn images has.
    """
    num_images, _, num_classes = counts.shape
    generator = np.random.default_rng(seed)
    weights = generator.multinomial(
        num_images, np.full(num_images, 1 / num_images), size=NUM_RESAMPLES
    )
    drawn = weights.astype(float) @ counts.reshape(num_images, -1).astype(float)
    right, truth, predicted = np.moveaxis(drawn.reshape(-1, 3, num_classes), 1, 0)
    return np.asarray(np.nanmean(intersection_over_union(right, truth, predicted), axis=1))


def interval(samples: NDArray[np.float64]) -> tuple[float, float]:
    """Computes the percentile interval that holds the middle CONFIDENCE of bootstrap samples.

    Args:
        samples: float64 [B], values of a score, or differences of two scores.

    Returns:
        The lower and the upper end.
    """
    tail = (1 - CONFIDENCE) / 2
    low, high = np.quantile(samples, [tail, 1 - tail])
    return float(low), float(high)
