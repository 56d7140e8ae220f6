r"""Compares two methods on the same images: the difference of their mean IoU, with its interval.

    python -m benchmarks.difference \
        --first results/demo/sb/seed*/scores/cam_images.csv \
        --second results/demo/seam/seed*/scores/cam_images.csv

Prints a line for each split, in percent: both means over the seeds, and the first minus the second
with the 95 % interval of a paired bootstrap over the images. The interval does not include what
another seed would change.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from wsss_core.data.pixel_counts import class_counts, read_pixel_counts
from wsss_core.ops.bootstrap import interval, resampled_miou
from wsss_core.ops.metrics import intersection_over_union
from wsss_core.runtime.errors import UserError, run_command


class Scored(NamedTuple):
    """One split of one method.

    Attributes:
        images: The ids of the images, sorted.
        miou: Mean IoU in percent, mean over the seeds.
        resampled: float64 [B], the same of each resample of the images.
    """

    images: list[str]
    miou: float
    resampled: NDArray[np.float64]


def read_scored(paths: Sequence[Path]) -> dict[str, Scored]:
    """Reads the pixel counts of a method, one file for each seed; returns its scores by split.

    Raises:
        UserError: The files are not of the same images.
    """
    seeds: dict[str, list[Scored]] = {}
    for path in paths:
        for split, rows in read_pixel_counts(path).groupby("split"):
            num_classes = 1 + int(rows[["true", "predicted"]].max(axis=None))
            images, counts = class_counts(rows, num_classes)
            miou = np.nanmean(intersection_over_union(*counts.sum(axis=0)))
            one = Scored(images, 100 * float(miou), 100 * resampled_miou(counts))
            several = seeds.setdefault(str(split), [])
            if several and one.images != several[0].images:
                raise UserError(f"{path}: expected the images of {paths[0]} in {split}")
            several.append(one)
    return {
        split: Scored(
            several[0].images,
            float(np.mean([one.miou for one in several])),
            np.mean([one.resampled for one in several], axis=0),
        )
        for split, several in seeds.items()
    }


def compare(first: Sequence[Path], second: Sequence[Path]) -> list[str]:
    """Compares two methods, each by its files of pixel counts; returns a line for each split.

    Raises:
        UserError: They have no split in common, or other images of it.
    """
    one, other = read_scored(first), read_scored(second)
    lines = []
    for split in (name for name in one if name in other):
        left, right = one[split], other[split]
        if left.images != right.images:
            raise UserError(f"{second[0]}: expected the images of {first[0]} in {split}")
        low, high = interval(left.resampled - right.resampled)
        lines.append(
            f"{split}: {left.miou:.1f} and {right.miou:.1f}, "
            f"difference {left.miou - right.miou:+.1f} ({low:+.1f} to {high:+.1f})"
        )
    if not lines:
        raise UserError(f"{second[0]}: expected a split of {first[0]}: {', '.join(one)}")
    return lines


def main() -> None:
    """Prints the comparison."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    for name in ("--first", "--second"):
        parser.add_argument(
            name, type=Path, nargs="+", required=True, help="<stage>_images.csv of each seed"
        )
    args = parser.parse_args()
    sys.stdout.write("\n".join(compare(args.first, args.second)) + "\n")


if __name__ == "__main__":
    run_command(main)
