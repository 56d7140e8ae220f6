"""Strict reading of a folder in the dataset layout that a user brings."""

from __future__ import annotations

import csv
import io
from collections.abc import Sequence
from pathlib import Path

from wsss_core.data.dataset import TRAIN_SPLIT
from wsss_core.data.images import IGNORE_INDEX
from wsss_core.prepare.id_lists import file_id, read_id, read_splits, read_text, repeated_names
from wsss_core.prepare.source import (
    Source,
    check_found,
    check_held_out,
    find_images,
    labelled_ids,
)
from wsss_core.runtime.errors import UserError, name_some

Rows = dict[int, list[str]]  # cells by line
Values = dict[int, tuple[int, ...]]  # 0 or 1 per class by line


def read_folder(root: Path, *, scored_splits: Sequence[str]) -> Source:
    """Reads the tables of a folder and finds its files; no image is opened.

    Args:
        root: Directory with images/ and labels.csv, and perhaps classes.txt, splits/ and masks/.
        scored_splits: Splits whose images need a mask. Without any, classes.txt may be missing,
            and splits/ too: all images of labels.csv are trained on.

    Raises:
        UserError: Anything is missing or contradicts something else.
    """
    if not root.is_dir():
        raise UserError(f"{root} is not a directory; expected a folder in the dataset layout")
    classes = root / "classes.txt"
    has_classes = bool(scored_splits) or classes.exists()  # masks go by the order of this file
    class_names, labels = read_labels(
        root / "labels.csv", class_names=read_classes(classes) if has_classes else None
    )
    if scored_splits or (root / "splits").exists():
        splits = read_splits(root / "splits", required=[TRAIN_SPLIT, *scored_splits])
    else:
        splits = {TRAIN_SPLIT: sorted(labels)}
    check_held_out(root, splits)
    labelled = labelled_ids(splits, scored_splits=scored_splits)
    listed = sorted({image_id for image_ids in splits.values() for image_id in image_ids})
    images = find_images(root / "images", image_ids=listed)
    for split, image_ids in splits.items():
        where = f"in {root}/splits/{split}.txt"
        check_found(image_ids, images, what=where, expected=f"a JPEG or PNG in {root}/images")
        needed = set(image_ids).intersection(labelled)
        check_found(sorted(needed), labels, what=where, expected=f"a row in {root}/labels.csv")
    files = {file_id(path): path for path in (root / "masks").glob("*.png") if path.is_file()}
    masks = {image_id: files[image_id] for image_id in listed if image_id in files}
    for split in scored_splits:
        what = f"of the scored split {split}"
        check_found(splits[split], masks, what=what, expected=f"a mask {root}/masks/<image>.png")
    return Source(
        root=root,
        class_names=class_names,
        mask_classes=class_names,
        labels={image_id: labels[image_id] for image_id in labelled},
        splits=splits,
        images=images,
        masks=masks,
    )


def read_classes(path: Path) -> tuple[str, ...]:
    """Reads classes.txt: one foreground class per line."""
    names = [line.strip() for line in read_text(path).strip().splitlines()]
    if not names:
        raise UserError(f"{path} is empty; expected one class name per line")
    if "" in names:
        raise UserError(f"{path} line {names.index('') + 1} is empty; expected a class name")
    if repeated := repeated_names(names):
        raise UserError(f"{path} lists {name_some(repeated)} more than once; expected each once")
    return check_classes(path, names)


def check_classes(path: Path, names: Sequence[str]) -> tuple[str, ...]:
    """Refuses classes that masks cannot have."""
    if not names:
        raise UserError(f"{path} names no class; expected at least one")
    if "background" in names:
        raise UserError(f"{path} lists 'background'; expected only the other classes")
    if len(names) >= IGNORE_INDEX:
        raise UserError(f"{path} lists {len(names)} classes; expected at most {IGNORE_INDEX - 1}")
    return tuple(names)


def read_labels(
    path: Path, *, class_names: Sequence[str] | None
) -> tuple[tuple[str, ...], dict[str, tuple[int, ...]]]:
    """Reads labels.csv, in either of two forms.

    `image`, then one 0/1 column per class, in any order; or `image,tags`, where the classes of an
    image stand in one cell, with semicolons between them.

    Args:
        path: The file.
        class_names: The classes that it has, no more, and as columns no less; None: those that
            are in it, in the order of the columns, or of the alphabet.

    Returns:
        The classes; 0 or 1 for each, by image id.
    """
    rows = [[cell.strip() for cell in row] for row in csv.reader(io.StringIO(read_text(path)))]
    if not rows or len(rows[0]) < 2 or rows[0][0] != "image":
        got = ",".join(rows[0])[:60] if rows else ""
        raise UserError(
            f"{path} starts with {got!r}; expected the header 'image,<class>,...' or 'image,tags'"
        )
    rows_by_line = {line: row for line, row in enumerate(rows[1:], start=2) if any(row)}
    read = _read_tags if rows[0][1:] == ["tags"] else _read_columns
    names, values = read(path, rows[0][1:], rows_by_line, class_names)
    labels: dict[str, tuple[int, ...]] = {}
    for line, row in rows_by_line.items():
        image_id = read_id(row[0], where=f"{path} line {line}: image")
        if image_id in labels:
            raise UserError(f"{path} line {line}: image {image_id!r} is there twice; expected once")
        labels[image_id] = values[line]
    return names, labels


def _read_tags(
    path: Path, columns: Sequence[str], rows: Rows, class_names: Sequence[str] | None
) -> tuple[tuple[str, ...], Values]:
    tags: dict[int, set[str]] = {}
    for line, row in rows.items():
        _check_length(path, line, row, columns)
        tags[line] = {tag.strip() for tag in row[1].split(";")} - {""}
    found = sorted(set().union(*tags.values()))
    names = class_names or check_classes(path, found)
    if unknown := [name for name in found if name not in names]:
        (line, *_) = (line for line in tags if unknown[0] in tags[line])
        raise UserError(
            f"{path} line {line}: image {rows[line][0]!r} has the tag {unknown[0]!r}, which "
            f"classes.txt does not list; expected some of {name_some(names, limit=10)}"
        )
    return tuple(names), {
        line: tuple(int(name in own) for name in names) for line, own in tags.items()
    }


def _read_columns(
    path: Path, columns: Sequence[str], rows: Rows, class_names: Sequence[str] | None
) -> tuple[tuple[str, ...], Values]:
    names = check_classes(path, columns) if class_names is None else tuple(class_names)
    _check_columns(path, columns, names)
    order = [columns.index(name) for name in names]
    values = {line: _row_values(path, line, row, columns) for line, row in rows.items()}
    return names, {line: tuple(row[i] for i in order) for line, row in values.items()}


def _check_columns(path: Path, columns: Sequence[str], class_names: Sequence[str]) -> None:
    if repeated := repeated_names(columns):
        raise UserError(f"{path} has column {name_some(repeated)} twice; expected each once")
    if unknown := [name or "''" for name in columns if name not in class_names]:
        raise UserError(
            f"{path} has labels for {name_some(unknown)}, which classes.txt does not list; "
            f"expected the columns image, {name_some(class_names, limit=10)}"
        )
    if missing := [name for name in class_names if name not in columns]:
        raise UserError(
            f"{path} has no column for {name_some(missing)}; expected one for each class of "
            "classes.txt"
        )


def _row_values(path: Path, line: int, row: Sequence[str], columns: Sequence[str]) -> list[int]:
    _check_length(path, line, row, columns)
    for name, value in zip(columns, row[1:], strict=True):
        if value not in ("0", "1"):
            raise UserError(
                f"{path} line {line}: image {row[0]!r} has {value!r} for {name}; expected 0 or 1"
            )
    return [int(value) for value in row[1:]]


def _check_length(path: Path, line: int, row: Sequence[str], columns: Sequence[str]) -> None:
    if len(row) != len(columns) + 1:
        raise UserError(
            f"{path} line {line} (image {row[0]!r}) has {len(row)} cells; "
            f"expected {len(columns) + 1}"
        )
