"""Reads PASCAL VOC 2012, from its unpacked archives, as the source of a dataset."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

from wsss_core.data.dataset import TEST_SPLIT, TRAIN_SPLIT
from wsss_core.prepare.findings import Findings
from wsss_core.prepare.id_lists import read_splits
from wsss_core.prepare.picture_files import find_images
from wsss_core.prepare.source import Source, check_found, check_held_out, labelled_ids
from wsss_core.prepare.voc.annotations import read_annotations
from wsss_core.prepare.voc.devkit import (
    ANNOTATIONS,
    IMAGES,
    MASKS,
    SBD_MASKS,
    find_sbd,
    find_test,
    find_trainval,
)
from wsss_core.prepare.voc.lists import class_names, official_splits

OTHERS = ("train", "val", TEST_SPLIT)


def read_voc(
    devkit: Path,
    *,
    scored_splits: Sequence[str],
    test: Path | None = None,
    sbd: Path | None = None,
    id_lists: Path | None = None,
) -> Source:
    """Reads the lists and annotations of VOC 2012 and finds its files; opens no image.

    Args:
        devkit: The unpacked trainval archive: the folder VOC2012, or a folder above it.
        scored_splits: Splits whose images need a mask.
        test: The unpacked archive of the test images.
        sbd: The unpacked SBD. Its masks are used for images without a mask in VOC.
        id_lists: Folder of lists <split>.txt that replace the official lists.

    Raises:
        UserError: Something is missing or contradictory.
    """
    findings = Findings()
    devkit = find_trainval(devkit)
    test = find_test(test) if test else None
    sbd = find_sbd(sbd) if sbd else None
    if id_lists:
        splits = read_splits(id_lists, required=[TRAIN_SPLIT, *scored_splits], optional=OTHERS)
    else:
        splits = official_splits(devkit, test=test, sbd=sbd)
    if unknown := [split for split in scored_splits if split not in splits]:
        raise findings.fail(
            f"evaluation.splits has {unknown[0]}; expected some of {', '.join(splits)}"
        )
    check_held_out(id_lists or devkit, splits, scored_splits=scored_splits, findings=findings)
    labelled = labelled_ids(splits, scored_splits=scored_splits)
    check_found(
        labelled,
        _ids(devkit / ANNOTATIONS, "*.xml"),
        what=f"listed for {devkit}",
        expected=f"an annotation {devkit / ANNOTATIONS}/<id>.xml",
        findings=findings,
    )
    images = find_listed_images(splits, devkit=devkit, test=test, findings=findings)
    masks = find_masks(labelled, devkit=devkit, sbd=sbd)
    for split in scored_splits:
        places = f"{devkit / MASKS}" + (f" or {sbd / SBD_MASKS}" if sbd else "")
        check_found(
            splits[split],
            masks,
            what=f"of the scored split {split}",
            expected=f"a mask in {places}",
            findings=findings,
        )
    findings.raise_errors()
    names = class_names()
    return Source(
        root=devkit,
        class_names=names,
        mask_classes=names,
        labels=read_annotations(devkit / ANNOTATIONS, labelled, class_names=names),
        splits=splits,
        images=images,
        masks=dict(masks),
        form="PASCAL VOC 2012",
    )


def find_listed_images(
    splits: Mapping[str, Sequence[str]], *, devkit: Path, test: Path | None, findings: Findings
) -> dict[str, Path]:
    """Finds the photographs of all splits; those of the test split may be in another devkit.

    Args:
        splits: Image ids by split.
        devkit: Folder VOC2012 of the trainval archive.
        test: Folder VOC2012 of the test archive.
        findings: Receives an error for images without a file.

    Returns:
        The image file of each id.
    """
    directories = [place / IMAGES for place in (devkit, test) if place]
    listed = {image_id for image_ids in splits.values() for image_id in image_ids}
    images: dict[str, Path] = {}
    for directory in directories:
        wanted = listed - images.keys()
        images |= find_images(directory, image_ids=wanted, findings=findings)[0]
    expected = f"a JPEG in {' or '.join(map(str, directories))}"
    for split, image_ids in splits.items():
        what = f"of the split {split}"
        check_found(image_ids, images, what=what, expected=expected, findings=findings)
    return images


def find_masks(image_ids: Iterable[str], *, devkit: Path, sbd: Path | None) -> dict[str, Path]:
    """Finds masks. VOC's are preferred; SBD's do not mark the edges of objects as ignored.

    Args:
        image_ids: The images.
        devkit: Folder VOC2012 of the trainval archive.
        sbd: Folder of SBD's dataset.

    Returns:
        The PNG or MAT file of each id that has a mask.
    """
    masks = {image_id: devkit / MASKS / f"{image_id}.png" for image_id in image_ids}
    if sbd:
        for image_id, path in masks.items():
            if not path.is_file():
                masks[image_id] = sbd / SBD_MASKS / f"{image_id}.mat"
    return {image_id: path for image_id, path in masks.items() if path.is_file()}


def _ids(directory: Path, pattern: str) -> set[str]:
    return {path.stem for path in directory.glob(pattern)}
