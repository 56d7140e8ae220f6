"""Reads a user's folder, in any of the accepted forms, as the source of a dataset."""

from __future__ import annotations

import json
from collections.abc import Collection, Mapping, Sequence
from pathlib import Path
from typing import Any

from wsss_core.data.images import IGNORE_INDEX
from wsss_core.data.pictures import FORMAT_NAMES
from wsss_core.prepare.findings import Findings
from wsss_core.prepare.forms.class_folders import class_folders, read_class_folders
from wsss_core.prepare.forms.coco import is_coco, read_coco
from wsss_core.prepare.forms.label_studio import is_label_studio, read_label_studio
from wsss_core.prepare.forms.table import NAMES, read_table
from wsss_core.prepare.forms.voc_xml import find_xml, read_voc_xml
from wsss_core.prepare.id_lists import folder_splits
from wsss_core.prepare.labelling import Labelling, MaskDrawing
from wsss_core.prepare.names import BadNameError, read_class_name, repeated_names
from wsss_core.prepare.picture_files import (
    all_files,
    find_images,
    find_mask_files,
    image_folder,
    printable,
)
from wsss_core.prepare.similar_names import warn_similar
from wsss_core.prepare.source import Source, check_found, check_held_out, labelled_ids
from wsss_core.prepare.text_files import read_text
from wsss_core.runtime.errors import UserError, name_some

FORMS = (
    "labels.csv, COCO's or Label Studio's JSON, VOC's XML in Annotations, or a folder of pictures "
    "for each class"
)


def read_folder(root: Path, *, scored_splits: Sequence[str], findings: Findings) -> Source:
    """Reads the labels of a folder and finds its files; opens no image.

    Args:
        root: The folder, as docs/your-data.md describes it.
        scored_splits: Splits whose images need a mask. If there are none, classes.txt and splits/
            are optional: by default, all labelled images are used for training.
        findings: Receives all mistakes. Everything else is read nevertheless.

    Raises:
        UserError: There are no readable labels, or no class or image is left.
    """
    if not root.is_dir():
        raise findings.fail(f"{root} is not a directory; expected a folder of pictures and labels")
    labelling = read_labelling(root, findings)
    class_names = choose_order(root, labelling, scored=bool(scored_splits), findings=findings)
    splits = folder_splits(
        root / "splits", labelling, scored_splits=scored_splits, findings=findings
    )
    check_held_out(root, splits, scored_splits=scored_splits, findings=findings)
    labelled = labelled_ids(splits, scored_splits=scored_splits)
    listed = sorted({image_id for image_ids in splits.values() for image_id in image_ids})
    images, left_out = _find_listed(root, labelling, listed, findings)
    labels = {
        image_id: tuple(int(name in labelling.tags[image_id]) for name in class_names)
        for image_id in labelled
        if image_id in labelling.tags
    }
    _check_complete(root, labelling, splits, images, labelled, findings)
    files, others = find_mask_files(root)
    drawn = labelling.masks if labelling.class_names == class_names else {}
    found: dict[str, Path | MaskDrawing] = {**drawn, **files}
    masks = {image_id: found[image_id] for image_id in listed if image_id in found}
    for split in scored_splits:
        what = f"of the scored split {split}"
        expected = f"a mask {root}/masks/<image>.png"
        check_found(splits[split], masks, what=what, expected=expected, findings=findings)
    if lone := sorted(files.keys() - set(listed)):
        left_out.append(f"{len(lone)} masks without a listed picture: {name_some(lone)}")
    if others:
        left_out.append(f"files in masks/ that are not usable as masks: {name_some(others)}")
    warn_similar(root, labelling, class_names, findings)
    return Source(
        root=root,
        class_names=class_names,
        mask_classes=class_names,
        labels=labels,
        splits=splits,
        images=images,
        masks={image_id: mask for image_id, mask in masks.items() if image_id in images},
        form=labelling.form,
        left_out=tuple(left_out),
    )


def read_labelling(root: Path, findings: Findings) -> Labelling:
    """Reads the labels of a folder in the first accepted form that it contains."""
    file_names = frozenset(path.name for path in all_files(image_folder(root)))
    for name in NAMES:
        if (root / name).is_file():
            return read_table(root / name, findings, file_names=file_names)
    if labelling := _read_json(root, file_names, findings):
        return labelling
    if annotations := find_xml(root):
        return read_voc_xml(annotations, findings)
    if class_folders(root):
        return read_class_folders(root, findings)
    raise findings.fail(f"{root} has no labels; expected {FORMS}")


def _read_json(root: Path, file_names: frozenset[str], findings: Findings) -> Labelling | None:
    """Reads COCO's or Label Studio's labels if a JSON file of the folder holds some."""
    paths = [path for folder in (root, root / "annotations") for path in folder.glob("*.json")]
    contents: dict[Path, Any] = {}
    for path in sorted(paths):
        try:
            contents[path] = json.loads(read_text(path))
        except ValueError as error:
            findings.error(f"{path} is not valid JSON ({error})")
    coco = {path: content for path, content in contents.items() if is_coco(content)}
    # COCO 2014 also has files with key points and captions of the same pictures.
    instances = {p: c for p, c in coco.items() if p.name.startswith("instances")} or coco
    if instances:
        return read_coco(instances, findings)
    for path, content in contents.items():
        if is_label_studio(content):
            return read_label_studio(path, content, file_names, findings)
    return None


def choose_order(
    root: Path, labelling: Labelling, *, scored: bool, findings: Findings
) -> tuple[str, ...]:
    """Returns the classes in the order of classes.txt, of the form, or of the alphabet.

    Args:
        root: The folder.
        labelling: Its labels.
        scored: Whether there are masks; their indices depend on the order.
        findings: Receives the mistakes.
    """
    path = root / "classes.txt"
    if path.exists():
        names = read_classes(path, findings, told=labelling.bad_tags)
        if not findings.errors:
            _check_known(labelling, names, findings)
    elif labelling.class_names is not None:
        names = labelling.class_names
    else:
        names = tuple(sorted(frozenset().union(*labelling.tags.values())))
    if scored and not path.exists() and not labelling.masks:
        findings.error(
            f"{path} is missing; expected one class name per line, in the order of mask indices"
        )
    if not names:
        findings.raise_errors()  # the errors so far say why
        raise findings.fail(f"{labelling.file} names no class; expected at least one")
    if len(names) >= IGNORE_INDEX:
        raise findings.fail(
            f"{labelling.file} has {len(names)} classes; expected at most {IGNORE_INDEX - 1}"
        )
    return names


def read_classes(path: Path, findings: Findings, *, told: Collection[str]) -> tuple[str, ...]:
    """Reads classes.txt, one foreground class per line; names in `told` are not reported again."""
    try:
        lines = read_text(path).strip().split("\n")
    except UserError as error:
        raise findings.fail(str(error)) from None
    if lines == [""]:
        raise findings.fail(f"{path} is empty; expected one class name per line")
    names = []
    for number, line in enumerate(lines, start=1):
        try:
            names.append(read_class_name(line))
        except BadNameError as error:
            if error.name not in told:
                findings.error(f"{path} line {number} is {error}")
    if repeated := repeated_names(names):
        findings.error(f"{path} lists {name_some(repeated)} more than once; expected each once")
    return tuple(dict.fromkeys(names))


def _check_known(labelling: Labelling, names: Sequence[str], findings: Findings) -> None:
    """Refuses tags that classes.txt does not list, and classes that only one of the two lists."""
    told: set[str] = set()
    for image_id, tags in labelling.tags.items():
        for name in sorted(tags.difference(names) - told):
            told.add(name)
            findings.error(
                f"{labelling.where[image_id]}: image {image_id!r} has the tag {name!r}, which "
                f"classes.txt does not list; expected some of {name_some(names, limit=10)}"
            )
    if labelling.class_names is None:
        return
    if unknown := [n for n in labelling.class_names if n not in names and n not in told]:
        findings.error(
            f"{labelling.file} has the class {name_some(unknown)}, which classes.txt does not "
            f"list; expected {name_some(names, limit=10)}"
        )
    if missing := [name for name in names if name not in labelling.class_names]:
        findings.error(
            f"{labelling.file} has no class {name_some(missing)}; expected each of classes.txt"
        )


def _find_listed(
    root: Path, labelling: Labelling, listed: Sequence[str], findings: Findings
) -> tuple[dict[str, Path], list[str]]:
    """Returns the files of the listed images, and messages about what is left out."""
    left_out = list(labelling.left_out)
    if labelling.images is not None:
        known = labelling.images
        return {image_id: known[image_id] for image_id in listed if image_id in known}, left_out
    folder = image_folder(root)
    images, unlisted = find_images(folder, image_ids=listed, findings=findings)
    if unlisted:
        text = f"{len(unlisted)} pictures of {folder} that {labelling.file.name} does not name"
        findings.warn(f"{text}: {printable(unlisted)}")
        left_out.append(f"{text}: {printable(unlisted)}")
    return images, left_out


def _check_complete(
    root: Path,
    labelling: Labelling,
    splits: Mapping[str, Sequence[str]],
    images: Mapping[str, Path],
    labelled: Sequence[str],
    findings: Findings,
) -> None:
    """Refuses listed images without a file or without a label."""
    picture = f"a {FORMAT_NAMES} in {image_folder(root)}"
    have_labels = set(labelled)
    for split, image_ids in splits.items():
        path = root / "splits" / f"{split}.txt"
        if path.is_file():
            where = f"in {path}"
            check_found(image_ids, images, what=where, expected=picture, findings=findings)
            needed = [image_id for image_id in image_ids if image_id in have_labels]
            row = f"a row in {labelling.file}"
            check_found(needed, labelling.tags, what=where, expected=row, findings=findings)
            continue
        for image_id in image_ids:
            if image_id not in images and image_id in labelling.where:
                findings.error(
                    f"{labelling.where[image_id]}: no picture {image_id!r}; expected {picture}"
                )
