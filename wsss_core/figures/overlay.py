"""Classes painted over a photograph, for the eye."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from wsss_core.data.images import IGNORE_INDEX, voc_palette

FILL_OPACITY = 0.6  # of a class colour over the photograph
PHOTO_LIGHT = 0.75  # photographs are darkened below what is drawn on them
STRIP = 64  # rows that are painted at a time: as numbers, a large picture takes gigabytes


def paint_mask(photo: NDArray[np.uint8], mask: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Paints classes over a photograph: tinted areas with full outlines, white where ignored.

    Args:
        photo: uint8 [H, W, 3].
        mask: uint8 [H, W] class indices.

    Returns:
        uint8 [H, W, 3].
    """
    is_opaque = (mask == IGNORE_INDEX) | outline(mask)
    painted = np.empty_like(photo)
    for top in range(0, len(photo), STRIP):
        rows = slice(top, top + STRIP)
        painted[rows] = _blend(photo[rows], mask[rows], is_opaque[rows])
    return painted


def _blend(
    photo: NDArray[np.uint8], mask: NDArray[np.uint8], is_opaque: NDArray[np.bool_]
) -> NDArray[np.uint8]:
    colors = voc_palette()[mask].astype(np.float32)  # [H, W, 3]
    colors[mask == IGNORE_INDEX] = 255
    picture = PHOTO_LIGHT * photo.astype(np.float32)
    opacity = np.where(mask == 0, 0, FILL_OPACITY)
    opacity[is_opaque] = 1
    blended = picture + opacity[..., None] * (colors - picture)
    return blended.round().astype(np.uint8)


def outline(mask: NDArray[np.uint8]) -> NDArray[np.bool_]:
    """Finds the pixels of classes, bool [H, W], that have a neighbour of another index."""
    padded = np.pad(mask, 1, mode="edge")
    neighbours = (padded[:-2, 1:-1], padded[2:, 1:-1], padded[1:-1, :-2], padded[1:-1, 2:])
    differs = np.any([neighbour != mask for neighbour in neighbours], axis=0)
    return differs & (mask != 0)
