"""Classes painted over a photograph, for the eye."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from wsss_core.data.images import IGNORE_INDEX, voc_palette
from wsss_core.ops.trimap import beside_another

FILL_OPACITY = 0.6  # of a class colour over the photograph
PHOTO_LIGHT = 0.75  # photographs are darkened below what is drawn on them


def paint_mask(photo: NDArray[np.uint8], mask: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Paints classes over a photograph: tinted areas with full outlines, white where ignored.

    Args:
        photo: uint8 [H, W, 3].
        mask: uint8 [H, W] class indices.

    Returns:
        uint8 [H, W, 3].
    """
    palette = voc_palette()
    palette[IGNORE_INDEX] = 255
    colors = cv2.LUT(cv2.merge([mask] * 3), palette[None])
    tint = PHOTO_LIGHT * (1 - FILL_OPACITY)
    tinted = cv2.addWeighted(photo, tint, colors, FILL_OPACITY, 0)
    painted = cv2.convertScaleAbs(photo, alpha=PHOTO_LIGHT)
    cv2.copyTo(tinted, mask, painted)
    is_opaque = (mask == IGNORE_INDEX) | outline(mask)
    cv2.copyTo(colors, is_opaque.astype(np.uint8), painted)
    return painted.astype(np.uint8, copy=False)


def outline(mask: NDArray[np.uint8]) -> NDArray[np.bool_]:
    """Finds the pixels of classes, bool [H, W], that have a neighbour of another index."""
    return beside_another(mask) & (mask != 0)
