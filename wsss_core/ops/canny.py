"""Canny edges: an input of the boundary head."""

import cv2
import numpy as np
from numpy.typing import NDArray


def canny_edges(image: NDArray[np.uint8], *, low: float, high: float) -> NDArray[np.uint8]:
    """Finds the Canny edges of a photograph that is not normalised.

    Args:
        image: RGB uint8 [H, W, 3]. Each pixel uses the channel with the strongest gradient.
        low: Lower hysteresis threshold.
        high: Upper hysteresis threshold.

    Returns:
        uint8 [H, W]: 255 on edges, else 0.
    """
    edges: NDArray[np.uint8] = cv2.Canny(image, low, high)  # type: ignore[assignment]
    return edges


def cast_canny_edges(
    normalized: NDArray[np.float32], *, low: float, high: float
) -> NDArray[np.uint8]:
    """Finds the Canny edges of normalised images cast to bytes, as the paper's code does.

    Normalised values lie between about -2 and 3. The cast drops their fraction and wraps negative
    numbers around, so that only 0, 1, 2, 254 and 255 remain. The edges of such an image roughly
    show a silhouette. In the paper's code the compiler decides how negative numbers wrap; here they
    wrap as in two's complement.

    Args:
        normalized: float32 [B, 3, H, W], the input of the backbone.
        low: Lower hysteresis threshold.
        high: Upper hysteresis threshold.

    Returns:
        uint8 [B, H, W]: 255 on edges, else 0.
    """
    wrapped = (normalized.astype(np.int32) % 256).astype(np.uint8)
    images = np.ascontiguousarray(wrapped.transpose(0, 2, 3, 1))
    return np.stack([canny_edges(image, low=low, high=high) for image in images])
