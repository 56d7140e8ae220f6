"""Exports the masks of a run in the layout of PASCAL VOC, which mmsegmentation and others read.

    JPEGImages/<id>.jpg
    SegmentationClass/<id>.png           true masks of the images that have one
    SegmentationClassPseudo/<id>.png     pseudo labels of the random walk
    SegmentationClassPredicted/<id>.png  masks of the segmentation network, if the run has one
    ImageSets/Segmentation/<split>.txt
    classes.txt                          class names in the order of their indices, background first
    mmseg_dataset.py                     data part of an mmsegmentation config

Pseudo labels are not in SegmentationClassAug, since published configs that read this folder expect
the true masks of train in it.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Sequence
from pathlib import Path

from PIL import Image

from wsss_core.data.dataset import TRAIN_SPLIT, Dataset
from wsss_core.data.mask_files import find_masks
from wsss_core.layouts.mmseg_config import mmseg_config
from wsss_core.runtime.atomic import atomic_dir
from wsss_core.runtime.errors import UserError, name_some
from wsss_core.runtime.progress import progress

IMAGES = "JPEGImages"
TRUE = "SegmentationClass"
PSEUDO = "SegmentationClassPseudo"
PREDICTED = "SegmentationClassPredicted"
SPLITS = "ImageSets/Segmentation"
SCORED_SPLIT = "val"
JPEG_QUALITY = 95


def write_voc_folder(
    dataset: Dataset, output: Path, *, pseudo_labels: Iterable[Path], predicted: Iterable[Path]
) -> None:
    """Writes the folder of one run.

    Args:
        dataset: Images, true masks and splits.
        output: The directory to write.
        pseudo_labels: Directories of <id>.png, one per shard.
        predicted: Directories with masks of the segmentation network; empty if the run has none.

    Raises:
        UserError: A training image has no pseudo label.
    """
    pseudo_paths = list(find_masks(pseudo_labels, what="pseudo label").values())
    check_complete(dataset.split(TRAIN_SPLIT), pseudo_paths)
    splits = sorted((dataset.root / "splits").glob("*.txt"))
    image_ids = sorted({name for split in splits for name in dataset.split(split.stem)})
    true_paths = filter(Path.is_file, map(dataset.mask_path, image_ids))
    with atomic_dir(output) as directory:
        place_images([dataset.image_path(name) for name in image_ids], directory / IMAGES)
        link_files(true_paths, directory / TRUE)
        link_files(pseudo_paths, directory / PSEUDO)
        if predicted_paths := list(find_masks(predicted).values()):
            link_files(predicted_paths, directory / PREDICTED)
        link_files(splits, directory / SPLITS)
        names = ["background", *dataset.class_names]
        (directory / "classes.txt").write_text("\n".join([*names, ""]), encoding="utf-8")
        scored = (SCORED_SPLIT, TRUE) if is_scored(dataset) else None
        config = mmseg_config(dataset.class_names, train_masks=PSEUDO, scored=scored)
        (directory / "mmseg_dataset.py").write_text(config, encoding="utf-8")


def check_complete(image_ids: Iterable[str], pseudo_paths: Iterable[Path]) -> None:
    """Raises UserError if an image has no pseudo label."""
    missing = sorted(set(image_ids) - {path.stem for path in pseudo_paths})
    if missing:
        raise UserError(
            f"{len(missing)} image{'s' if len(missing) > 1 else ''} of {TRAIN_SPLIT} without a "
            f"pseudo label: {name_some(missing)}; expected directories of all shards"
        )


def is_scored(dataset: Dataset) -> bool:
    """Says whether networks can be scored: SCORED_SPLIT exists and has all its true masks."""
    if not dataset.has_split(SCORED_SPLIT):
        return False
    image_ids = dataset.split(SCORED_SPLIT)
    return bool(image_ids) and all(dataset.mask_path(name).is_file() for name in image_ids)


def place_images(paths: Sequence[Path], directory: Path) -> None:
    """Links JPEG images to a directory, and converts PNG images to JPEG.

    Args:
        paths: JPEG and PNG files, RGB.
        directory: The directory for <id>.jpg. It is created.
    """
    directory.mkdir(parents=True)
    for path in progress(paths, desc="images"):
        if path.suffix == ".jpg":
            link_file(path, directory / path.name)
        else:
            with Image.open(path, formats=("PNG",)) as image:
                image.save(directory / f"{path.stem}.jpg", quality=JPEG_QUALITY)


def link_files(paths: Iterable[Path], directory: Path) -> None:
    """Links files from any directories to one directory, which is created."""
    directory.mkdir(parents=True)
    for path in paths:
        link_file(path, directory / path.name)


def link_file(source: Path, target: Path) -> None:
    """Makes a hard link, which copying tools treat as a normal file.

    If hard links are not possible, for example to another file system, makes a symbolic link.
    """
    real = source.resolve()
    try:
        os.link(real, target)
    except OSError:
        target.symlink_to(real)
