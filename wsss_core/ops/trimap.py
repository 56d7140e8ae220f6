"""The band around true boundaries, in which a segmentation's structure shows."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

BAND = 0.02  # half width, of the image's diagonal, as in Boundary IoU (Cheng et al., CVPR 2021)


def near_boundary(mask: NDArray[np.uint8]) -> NDArray[np.bool_]:
    """Finds the pixels whose distance to another class is at most BAND of the diagonal.

    A mean IoU over these pixels alone is that of the trimap (Kohli et al., IJCV 2009). Ignored
    pixels count as a class here, since VOC's masks have a band of them along each object.

    Args:
        mask: uint8 [H, W] class indices, 255 ignored.

    Returns:
        bool [H, W]; False everywhere where the mask is of one class.
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
    """Finds the pixels, bool [H, W], that have one of another index above, below or beside them."""
    padded = np.pad(mask, 1, mode="edge")
    differs = np.zeros(mask.shape, dtype=bool)
    for neighbour in (padded[:-2, 1:-1], padded[2:, 1:-1], padded[1:-1, :-2], padded[1:-1, 2:]):
        differs |= neighbour != mask
    return differs
