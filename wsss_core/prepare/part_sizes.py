"""Estimates, before preparation, the sizes of a dataset's parts and the jobs for each."""

from __future__ import annotations

import math
from collections.abc import Sequence
from pathlib import Path

from wsss_core.config.dataset import DatasetConfig
from wsss_core.data.dataset import TEST_SPLIT, TRAIN_SPLIT
from wsss_core.prepare.names import file_id
from wsss_core.prepare.picture_files import all_files, is_picture
from wsss_core.prepare.text_files import read_text
from wsss_core.runtime.errors import UserError

IMAGES_PER_JOB = 600  # for fewer images, starting a second job costs more time than it saves
VOC_SIZES = {TRAIN_SPLIT: 10582, "train": 1464, "val": 1449, TEST_SPLIT: 1456}


def jobs_by_part(dataset: DatasetConfig, *, scored_splits: Sequence[str]) -> dict[str, int]:
    """Computes how many jobs the images of each part are divided among.

    Args:
        dataset: Configuration of the dataset.
        scored_splits: Splits that are scored by their masks.

    Returns:
        Number of jobs by part, named as in `part_ids`. It is at least 1, except that train_only
        gets 0 if it has no images.
    """
    sizes = _part_sizes(dataset, scored_splits)
    jobs = {part: math.ceil(size / IMAGES_PER_JOB) for part, size in sizes.items()}
    return {part: num if part == "train_only" else max(1, num) for part, num in jobs.items()}


def _part_sizes(dataset: DatasetConfig, scored: Sequence[str]) -> dict[str, int]:
    if dataset.source == "folder":
        return _folder_sizes(Path(dataset.folder or ""), scored)
    if dataset.source == "voc" and dataset.voc.id_lists:
        return _listed_sizes(Path(dataset.voc.id_lists), scored)
    sizes, demo = VOC_SIZES, dataset.demo
    if dataset.source == "demo":
        sizes = {TRAIN_SPLIT: demo.num_train, "train": demo.num_train, "val": demo.num_val}
    trained = max((sizes[s] for s in scored if s in (TRAIN_SPLIT, "train")), default=0)
    return {
        "eval": sum(sizes.get(split, 0) for split in dict.fromkeys(scored)),
        "train_only": sizes[TRAIN_SPLIT] - trained,
        "test": sizes.get(TEST_SPLIT, 0),
    }


def _folder_sizes(root: Path, scored: Sequence[str]) -> dict[str, int]:
    """Returns the sizes by the lists of the folder, or else by its number of pictures."""
    sizes = _listed_sizes(root / "splits", scored)
    if _ids(root / "splits" / f"{TRAIN_SPLIT}.txt"):
        return sizes
    pictures = sum(1 for path in all_files(root) if is_picture(path))
    rest = max(1, pictures - sizes["eval"])
    # If the labels define the splits, every picture may be in any of them.
    return {**sizes, "eval": sizes["eval"] or pictures, "train_only": rest}


def _listed_sizes(directory: Path, scored: Sequence[str]) -> dict[str, int]:
    """Returns the sizes by the lists <split>.txt in a directory."""
    names = (*scored, TRAIN_SPLIT, TEST_SPLIT)
    lists = {split: _ids(directory / f"{split}.txt") for split in names}
    held_out = {name for split in scored for name in lists[split]}
    return {
        "eval": len(held_out),
        "train_only": len(lists[TRAIN_SPLIT] - held_out),
        "test": len(lists[TEST_SPLIT] - lists[TRAIN_SPLIT] - held_out),
    }


def _ids(path: Path) -> set[str]:
    """Reads the ids of a list; a missing or bad list is empty, and reported when it is prepared."""
    try:
        return {file_id(Path(line.strip())) for line in read_text(path).split("\n") if line.strip()}
    except UserError:
        return set()
