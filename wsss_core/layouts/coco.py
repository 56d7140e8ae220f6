"""Masks as COCO annotations (JSON), which CVAT, Label Studio and this workflow read.

Each connected part of a class is one object with one polygon. The edges of a polygon run between
pixels. A hole is connected to the outer contour by an edge in both directions. So the exact mask
can be drawn again from the polygons.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from wsss_core.data.images import IGNORE_INDEX

Polygon = list[float]  # x, y, x, y, ...
FINENESS = 3  # subpixels per side of a pixel; a contour runs through the outermost subpixels


class CocoWriter:
    """Collects masks, picture by picture."""

    def __init__(self, class_names: Sequence[str]) -> None:
        """Starts an empty collection; `class_names` are the foreground classes."""
        self._images: list[dict[str, Any]] = []
        self._annotations: list[dict[str, Any]] = []
        self._categories = [{"id": k, "name": n} for k, n in enumerate(class_names, start=1)]

    def add(self, file_name: str, mask: NDArray[np.uint8]) -> None:
        """Adds the mask of a picture, uint8 [H, W] class indices; ignored pixels are left out."""
        image_id = len(self._images) + 1
        height, width = mask.shape
        self._images += [{"id": image_id, "file_name": file_name, "height": height, "width": width}]
        for index in sorted(set(np.unique(mask).tolist()) - {0, IGNORE_INDEX}):
            for part, x, y in _parts(mask == index):
                self._annotations += [
                    {
                        "id": len(self._annotations) + 1,
                        "image_id": image_id,
                        "category_id": index,
                        "segmentation": [outline(part, x=x, y=y)],
                        "area": int(part.sum()),
                        "bbox": [x, y, part.shape[1], part.shape[0]],
                        "iscrowd": 0,
                    }
                ]

    def content(self) -> dict[str, Any]:
        """Returns the content of the JSON file."""
        return {
            "images": self._images,
            "annotations": self._annotations,
            "categories": self._categories,
        }


def _parts(area: NDArray[np.bool_]) -> Iterator[tuple[NDArray[np.uint8], int, int]]:
    """Yields each connected part of an area: its crop, and the column and row of its corner."""
    count, numbers, stats, _ = cv2.connectedComponentsWithStats(
        area.astype(np.uint8), connectivity=4
    )
    for number in range(1, count):
        x, y, width, height, _ = stats[number].tolist()
        yield (numbers[y : y + height, x : x + width] == number).astype(np.uint8), x, y


def outline(part: NDArray[np.uint8], *, x: int, y: int) -> Polygon:
    """Computes the polygon around a connected part.

    Args:
        part: uint8 [h, w] of 0 and 1.
        x: Column of the part's first column in the picture.
        y: Row of the part's first row in the picture.

    Returns:
        x, y, x, y, ... in pixels; the first pixel reaches from 0 to 1.
    """
    fine = np.kron(part, np.ones((FINENESS, FINENESS), dtype=np.uint8))
    contours, _ = cv2.findContours(fine, cv2.RETR_CCOMP, cv2.CHAIN_APPROX_SIMPLE)
    outer, *holes = sorted((c[:, 0] for c in contours), key=lambda c: -np.ptp(c, axis=0).prod())
    points = [*outer]
    for hole in holes:
        points += [outer[0], *hole, hole[0], outer[0]]
    placed = (np.array(points) + 0.5) / FINENESS + (x, y)
    return [round(value, 2) for value in placed.ravel().tolist()]
