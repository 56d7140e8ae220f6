"""The share of pixels that each class covers in pictures, as a CSV file and as a text table."""

from __future__ import annotations

import csv
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from wsss_core.data.images import IGNORE_INDEX
from wsss_core.runtime.checked_text import checked_file

TOO_MANY = 2  # report a class found in more than this many times the pictures with its tag


class ClassShares:
    """Counts the pixels of each class, mask by mask."""

    def __init__(self, class_names: Sequence[str]) -> None:
        """Starts without masks; `class_names` are the foreground classes."""
        self.names = ("background", *class_names)
        self._pixels: dict[str, NDArray[np.int64]] = {}

    def add(self, name: str, mask: NDArray[np.uint8]) -> None:
        """Counts one picture's mask, uint8 [H, W] class indices; ignored pixels do not count."""
        known = mask[mask != IGNORE_INDEX]
        self._pixels[name] = np.bincount(known, minlength=len(self.names))

    def write(self, path: Path) -> None:
        """Writes a CSV file with a row per picture: the share of each class's pixels in percent.

        Args:
            path: The file; it appears complete or not at all.
        """
        with (
            checked_file(path) as temporary,
            # The name of a picture may not be valid UTF-8.
            temporary.open("w", newline="", encoding="utf-8", errors="backslashreplace") as file,
        ):
            rows = csv.writer(file, lineterminator="\n")
            rows.writerow(["image", *self.names])
            for name, pixels in self._pixels.items():
                rows.writerow([name, *(f"{share:.2f}" for share in _percent(pixels))])

    def table(self, tagged: Mapping[str, int] | None = None) -> str:
        """Returns a table of the classes found: number of pictures, and share of all pixels.

        Args:
            tagged: Number of pictures with the tag of each class. The table then also shows these
                numbers, and lists tagged classes that were not found. None: unknown.
        """
        pixels = self._all_pixels()
        width = max(map(len, ("class", *self.names)))
        lines = [f"{'class':{width}}  pictures  share of pixels{'  tagged' if tagged else ''}"]
        shares = _percent(pixels.sum(axis=0))
        for name, count, share in zip(self.names, (pixels > 0).sum(axis=0), shares, strict=True):
            number = (tagged or {}).get(name, 0)
            if count or number:
                told = f"  {number:6}" if tagged and name in tagged else ""
                lines.append(f"{name:{width}}  {count:8}  {share:13.2f} %{told}")
        return "\n".join(lines)

    def overdone(self, tagged: Mapping[str, int]) -> list[str]:
        """Returns a line for each class that is in many more masks than pictures have its tag."""
        counts = dict(zip(self.names, (self._all_pixels() > 0).sum(axis=0).tolist(), strict=True))
        return [
            f"masks show {name!r} in {counts[name]} pictures, of which {number} have the tag"
            for name, number in tagged.items()
            if counts[name] > TOO_MANY * max(1, number)
        ]

    def _all_pixels(self) -> NDArray[np.int64]:
        return np.array([*self._pixels.values()], dtype=np.int64).reshape(-1, len(self.names))


def _percent(pixels: NDArray[np.int64]) -> NDArray[np.float64]:
    return 100 * pixels / max(1, pixels.sum())
