"""Canny edges, which the boundary head sees beside the features."""

import cv2
import numpy as np
from numpy.typing import NDArray


def canny_edges(image: NDArray[np.uint8], *, low: float, high: float) -> NDArray[np.uint8]:
    """Canny edges of a photograph as it is, not of a normalised one.

    Args:
        image: RGB uint8 [H, W, 3]; the channel of the strongest gradient decides at each pixel.
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
    """Canny edges of normalised images forced into bytes, as the paper's code finds them.

    Their values of about -2 to 3 lose their fraction and wrap around: 0, 1, 2, 254 and 255 are
    left, whose edges are roughly those of a silhouette. The code leaves the wrapping of negative
    numbers to the compiler; here it is that of two's complement.

    Args:
        normalized: [B, 3, H, W], as the backbone sees them.
        low: Lower hysteresis threshold.
        high: Upper hysteresis threshold.

    Returns:
        uint8 [B, H, W]: 255 on edges, else 0.
    """
    wrapped = (normalized.astype(np.int32) % 256).astype(np.uint8)
    images = np.ascontiguousarray(wrapped.transpose(0, 2, 3, 1))
    return np.stack([canny_edges(image, low=low, high=high) for image in images])
