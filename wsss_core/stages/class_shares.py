"""How much of pictures each class covers, as a file and as a table."""

from __future__ import annotations

import csv
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from wsss_core.runtime.atomic import atomic_file


class ClassShares:
    """Collects the pixels of each class, mask by mask."""

    def __init__(self, class_names: Sequence[str]) -> None:
        """Starts without masks; `class_names` are the foreground classes."""
        self.names = ("background", *class_names)
        self._pixels: dict[str, NDArray[np.int64]] = {}

    def add(self, name: str, mask: NDArray[np.uint8]) -> None:
        """Counts one picture's mask, uint8 [H, W] class indices."""
        self._pixels[name] = np.bincount(mask.ravel(), minlength=len(self.names))

    def write(self, path: Path) -> None:
        """Writes a CSV file: a row for each picture, each class's share of its pixels in per cent.

        Args:
            path: The file; it appears whole or not at all.
        """
        with atomic_file(path) as temporary, temporary.open("w", newline="", encoding="utf-8") as f:
            rows = csv.writer(f, lineterminator="\n")
            rows.writerow(["image", *self.names])
            for name, pixels in self._pixels.items():
                rows.writerow([name, *(f"{share:.2f}" for share in _percent(pixels))])

    def table(self) -> str:
        """The classes that were found: in how many pictures, and their share of all pixels."""
        pixels = np.array([*self._pixels.values()], dtype=np.int64).reshape(-1, len(self.names))
        pictures, shares = (pixels > 0).sum(axis=0), _percent(pixels.sum(axis=0))
        width = max(map(len, ("class", *self.names)))
        lines = [f"{'class':{width}}  pictures  share of pixels"]
        lines += [
            f"{name:{width}}  {count:8}  {share:13.2f} %"
            for name, count, share in zip(self.names, pictures, shares, strict=True)
            if count
        ]
        return "\n".join(lines)


def _percent(pixels: NDArray[np.int64]) -> NDArray[np.float64]:
    return 100 * pixels / max(1, pixels.sum())
