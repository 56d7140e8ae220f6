"""The classes of PASCAL VOC 2012, and the image ids of its splits.

classes.txt (in the order of mask indices) and train_aug.txt never change. A test checks their
content, because the code digests do not include them.
"""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from wsss_core.data.dataset import TEST_SPLIT, TRAIN_SPLIT
from wsss_core.prepare.id_lists import read_ids
from wsss_core.prepare.voc.devkit import SPLITS

CLASSES = Path(__file__).with_name("classes.txt")
TRAIN_AUG = Path(__file__).with_name("train_aug.txt")


def class_names() -> tuple[str, ...]:
    """Returns the 20 foreground classes; the name at position k has index k + 1 in masks."""
    return tuple(CLASSES.read_text(encoding="utf-8").split())


def augmented_training_ids(
    *, train: Iterable[str], sbd_train: Iterable[str], sbd_val: Iterable[str], val: Iterable[str]
) -> list[str]:
    """Computes the ids of train_aug, the usual training set of this field: 10,582 ids, sorted.

    It joins the training images of VOC's segmentation task and all images of SBD, and removes VOC's
    validation images.

    Args:
        train: Split train of VOC's segmentation task.
        sbd_train: Split train of SBD.
        sbd_val: Split val of SBD, which differs from VOC's.
        val: Split val of VOC's segmentation task.
    """
    return sorted({*train, *sbd_train, *sbd_val} - {*val})


def official_splits(
    devkit: Path, *, test: Path | None = None, sbd: Path | None = None
) -> dict[str, list[str]]:
    """Reads the lists of an unpacked VOC.

    Args:
        devkit: Folder VOC2012 of the trainval archive.
        test: Folder VOC2012 of the test archive.
        sbd: Folder of SBD's dataset, whose lists define train_aug. Without it, the list in this
            package does.

    Raises:
        UserError: A list is missing or is not a list of ids.
    """
    train, val = (read_ids(devkit / SPLITS / f"{split}.txt") for split in ("train", "val"))
    if sbd is None:
        train_aug = read_ids(TRAIN_AUG)
    else:
        sbd_train, sbd_val = (read_ids(sbd / f"{split}.txt") for split in ("train", "val"))
        train_aug = augmented_training_ids(
            train=train, sbd_train=sbd_train, sbd_val=sbd_val, val=val
        )
    splits = {TRAIN_SPLIT: train_aug, "train": train, "val": val}
    if test is not None:
        splits[TEST_SPLIT] = read_ids(test / SPLITS / "test.txt")
    return splits
