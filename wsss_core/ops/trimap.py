"""The band around ground-truth boundaries (trimap), where errors in structure are visible."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

BAND = 0.02  # half the width, as share of the diagonal: Boundary IoU (Cheng et al., CVPR 2021)


def near_boundary(mask: NDArray[np.uint8]) -> NDArray[np.bool_]:
    """Finds the pixels whose distance to another class is at most BAND of the diagonal.

    The mean IoU over these pixels alone is the trimap score (Kohli et al., IJCV 2009). Ignored
    pixels count as a class of their own, because VOC's masks have a band of them around each
    object.

    Args:
        mask: uint8 [H, W] class indices, 255 ignored.

    Returns:
        bool [H, W]; False everywhere if the mask has one class only.
    """
    differs = beside_another(mask)
    if not differs.any():
        return differs
    distance = cv2.distanceTransform(
        (~differs).astype(np.uint8), cv2.DIST_L2, cv2.DIST_MASK_PRECISE
    )
    # A pixel beside the boundary has distance 0 to itself and 1 to the other class.
    return np.asarray(distance + 1 <= max(1.0, BAND * float(np.hypot(*mask.shape))))


def beside_another(mask: NDArray[np.uint8]) -> NDArray[np.bool_]:
    """Finds the pixels with a different index above, below, left or right of them; bool [H, W]."""
    padded = np.pad(mask, 1, mode="edge")
    differs = np.zeros(mask.shape, dtype=bool)
    for neighbour in (padded[:-2, 1:-1], padded[2:, 1:-1], padded[1:-1, :-2], padded[1:-1, 2:]):
        differs |= neighbour != mask
    return differs
