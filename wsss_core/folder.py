"""Strict reading of a folder in the dataset layout that a user brings."""

from __future__ import annotations

import csv
from collections.abc import Sequence
from pathlib import Path

from wsss_core.dataset import IGNORE_INDEX, TRAIN_SPLIT
from wsss_core.errors import UserError, name_some
from wsss_core.id_lists import read_splits, read_text, repeated_names
from wsss_core.source import (
    Source,
    check_found,
    check_held_out,
    find_images,
    labelled_ids,
)


def read_folder(root: Path, *, scored_splits: Sequence[str]) -> Source:
    """Reads the tables of a folder and finds its files; no image is opened.

    Args:
        root: Directory with images/, labels.csv, classes.txt, splits/ and perhaps masks/.
        scored_splits: Splits whose images need a mask.

    Raises:
        UserError: Anything is missing or contradicts something else.
    """
    if not root.is_dir():
        raise UserError(f"{root} is not a directory; expected a folder in the dataset layout")
    class_names = read_classes(root / "classes.txt")
    labels = read_labels(root / "labels.csv", class_names=class_names)
    splits = read_splits(root / "splits", required=[TRAIN_SPLIT, *scored_splits])
    check_held_out(root, splits)
    labelled = labelled_ids(splits, scored_splits=scored_splits)
    listed = sorted({image_id for image_ids in splits.values() for image_id in image_ids})
    images = find_images(root / "images", image_ids=listed)
    for split, image_ids in splits.items():
        where = f"in {root}/splits/{split}.txt"
        check_found(image_ids, images, what=where, expected=f"a JPEG or PNG in {root}/images")
        needed = set(image_ids).intersection(labelled)
        check_found(sorted(needed), labels, what=where, expected=f"a row in {root}/labels.csv")
    candidates = {image_id: root / "masks" / f"{image_id}.png" for image_id in listed}
    masks = {image_id: path for image_id, path in candidates.items() if path.is_file()}
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
    if "background" in names:
        raise UserError(f"{path} lists 'background'; expected only the other classes")
    if len(names) >= IGNORE_INDEX:
        raise UserError(f"{path} lists {len(names)} classes; expected at most {IGNORE_INDEX - 1}")
    return tuple(names)


def read_labels(path: Path, *, class_names: Sequence[str]) -> dict[str, tuple[int, ...]]:
    """Reads labels.csv: `image`, then one 0/1 column per class, in any order.

    Args:
        path: The file.
        class_names: The classes that it must have, no more and no less.

    Returns:
        0 or 1 per class, in the order of class_names, by image id.
    """
    rows = list(csv.reader(read_text(path).splitlines()))
    rows = [[cell.strip() for cell in row] for row in rows]
    if not rows or not rows[0] or rows[0][0] != "image":
        got = ",".join(rows[0])[:60] if rows else ""
        raise UserError(f"{path} starts with {got!r}; expected the header 'image,<class>,...'")
    columns = rows[0][1:]
    _check_columns(path, columns, class_names)
    order = [columns.index(name) for name in class_names]
    labels: dict[str, tuple[int, ...]] = {}
    for line, row in enumerate(rows[1:], start=2):
        if not any(row):
            continue
        values = _row_values(path, line, row, columns)
        if row[0] in labels:
            raise UserError(f"{path} line {line}: image {row[0]!r} is there twice; expected once")
        labels[row[0]] = tuple(values[i] for i in order)
    return labels


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
    if len(row) != len(columns) + 1:
        raise UserError(
            f"{path} line {line} (image {row[0]!r}) has {len(row)} cells; "
            f"expected {len(columns) + 1}"
        )
    for name, value in zip(columns, row[1:], strict=True):
        if value not in ("0", "1"):
            raise UserError(
                f"{path} line {line}: image {row[0]!r} has {value!r} for {name}; expected 0 or 1"
            )
    return [int(value) for value in row[1:]]
