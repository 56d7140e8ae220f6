"""Paints masks over images."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from wsss_core.data.images import IGNORE_INDEX, voc_palette
from wsss_core.ops.trimap import beside_another

FILL_OPACITY = 0.6  # opacity of a class colour over the image
PHOTO_LIGHT = 0.75  # factor on the brightness of the image, so that colours stand out


def paint_mask(photo: NDArray[np.uint8], mask: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Paints a mask over an image: tinted areas with opaque outlines; ignored pixels are white.

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
    """Finds foreground pixels with a neighbour of another index: bool [H, W]."""
    return beside_another(mask) & (mask != 0)
