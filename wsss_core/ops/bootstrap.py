"""How sure a mean IoU is: a bootstrap over the images that it was measured on.

The masks stay as they are, and with them a threshold that was chosen on all the images. That other
images would have chosen another one is not in the interval.

N is the number of images, C that of classes with background, B that of resamples.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from wsss_core.ops.metrics import intersection_over_union

NUM_RESAMPLES = 1000
CONFIDENCE = 0.95


def resampled_miou(counts: NDArray[np.int64], *, seed: int = 0) -> NDArray[np.float64]:
    """Computes the mean IoU of images drawn with replacement, as many as there are.

    Equal N and seed draw the same images, so that the difference of two methods' results is a
    paired one.

    Args:
        counts: int64 [N, 3, C], pixels of each image and class: rightly predicted, of the class
            in truth, predicted as it.
        seed: of the draws.

    Returns:
        float64 [B] in [0, 1]. A class that no drawn image has is left out of that mean.
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
    """Takes the middle CONFIDENCE of bootstrap samples, the percentile interval.

    Args:
        samples: float64 [B], of a score or of a difference of two.
    """
    tail = (1 - CONFIDENCE) / 2
    low, high = np.quantile(samples, [tail, 1 - tail])
    return float(low), float(high)
