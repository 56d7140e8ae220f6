"""Trains a second segmentation network on labels that the first one gives.

    python -m benchmarks.second_round results/voc-animals --method seam --configfile a.yaml b.yaml

The run must be finished, with the masks of all training images. --labels chooses what the new
network learns from:

    random_walk   the first network's pseudo labels once more: what a new training changes by chance
    own_masks     the first network's masks, after the CRF if the config has one
    possible      the same, but pixels of classes that the image's label excludes are ignored
    agreed        the same, but pixels where the random walk has another class are ignored

Network, masks and scores are written to `<results>/second_round/<method>/seed<seed>/<labels>/`.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from benchmarks.bounds import Run, add_run_arguments, given_run, score, segment_anew
from wsss_core.data.dataset import TRAIN_SPLIT
from wsss_core.data.images import IGNORE_INDEX, read_mask, write_mask
from wsss_core.data.mask_files import find_masks
from wsss_core.runtime.atomic import atomic_dir
from wsss_core.runtime.errors import run_command

Mask = NDArray[np.uint8]


def possible(own: Mask, walk: Mask, label: NDArray[np.uint8]) -> Mask:
    """Ignores the pixels of classes that the label [K] of 0 and 1 excludes."""
    allowed = np.concatenate([[1], label]).astype(bool)
    return np.where(allowed[own], own, IGNORE_INDEX).astype(np.uint8)


def agreed(own: Mask, walk: Mask, label: NDArray[np.uint8]) -> Mask:
    """Ignores the pixels where the random walk has another class."""
    return np.where(own == walk, own, IGNORE_INDEX).astype(np.uint8)


LABELS: dict[str, Callable[[Mask, Mask, NDArray[np.uint8]], Mask]] = {
    "random_walk": lambda own, walk, label: walk,
    "own_masks": lambda own, walk, label: own,
    "possible": possible,
    "agreed": agreed,
}


def write_labels(run: Run, name: str, folder: Path) -> None:
    """Writes the label `<image>.png` of each training image."""
    own = find_masks(sorted((run.folder / run.last_stage()).iterdir()))
    walks = find_masks(sorted((run.folder / "random_walk").iterdir()))
    with atomic_dir(folder) as directory:
        for image_id in run.dataset.split(TRAIN_SPLIT):
            masks = read_mask(own[image_id]), read_mask(walks[image_id])
            label = LABELS[name](*masks, run.dataset.labels[image_id])
            write_mask(directory / f"{image_id}.png", label)


def main() -> None:
    """Trains, segments, and prints the scores."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    add_run_arguments(parser)
    parser.add_argument("--labels", choices=LABELS, default="own_masks")
    args = parser.parse_args()
    run = given_run(args)
    folder = run.results / "second_round" / run.method / f"seed{run.seed}" / args.labels
    folder.mkdir(parents=True, exist_ok=True)
    if not (folder / "labels").is_dir():
        write_labels(run, args.labels, folder / "labels")
    splits = run.config.evaluation.splits
    last = segment_anew(run, folder, run.dataset.root, [folder / "labels"], splits=splits)
    for masks, stage in {folder / "before_crf": "segmentation", last: run.last_stage()}.items():
        score(run, masks, stage=stage, splits=splits)
        sys.stdout.write((folder / f"{stage}.csv").read_text())


if __name__ == "__main__":
    run_command(main)
