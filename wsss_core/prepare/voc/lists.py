"""The classes of PASCAL VOC 2012, and which images its splits have.

classes.txt (in the order of the masks' indices) and train_aug.txt are facts that never change; a
test pins them, since a stage's digest of code does not see them.
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
    """The 20 foreground classes: name k has index k + 1 in masks."""
    return tuple(CLASSES.read_text(encoding="utf-8").split())


def augmented_training_ids(
    *, train: Iterable[str], sbd_train: Iterable[str], sbd_val: Iterable[str], val: Iterable[str]
) -> list[str]:
    """The images that this literature trains on: 10,582 of the official lists, sorted.

    Those of VOC's segmentation task and those that SBD adds, but none that is scored.

    Args:
        train: VOC's segmentation split train.
        sbd_train: SBD's split train.
        sbd_val: SBD's split val, which is not VOC's.
        val: VOC's segmentation split val.
    """
    return sorted({*train, *sbd_train, *sbd_val} - {*val})


def official_splits(
    devkit: Path, *, test: Path | None = None, sbd: Path | None = None
) -> dict[str, list[str]]:
    """Reads the lists of an unpacked VOC.

    Args:
        devkit: VOC2012 of trainval.
        test: VOC2012 of the test images.
        sbd: SBD's dataset, whose lists make train_aug; without it, the list kept here does.

    Raises:
        UserError: A list is missing, or not one of ids.
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
