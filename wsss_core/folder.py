"""Strict reading of a folder that a user brings as a dataset.

Every mistake is a UserError of one line; several of a kind are told as one, with the first names.
"""

from __future__ import annotations

import csv
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from wsss_core.dataset import IGNORE_INDEX, TRAIN_SPLIT
from wsss_core.errors import UserError, name_some

IMAGE_SUFFIXES = (".jpg", ".jpeg", ".png")
HELD_OUT_SPLITS = ("val", "test")  # `train`, in contrast, is usually a part of train_aug


@dataclass(frozen=True)
class Folder:
    """What a folder in the dataset layout lists, checked for consistency.

    Attributes:
        class_names: The foreground classes.
        labels: One 0 or 1 per class, in their order, by id, of the images in a split.
        splits: Image ids by split.
        images: Image file by id, of the images in a split.
        masks: Mask file by id, of those that have one.
    """

    class_names: tuple[str, ...]
    labels: dict[str, tuple[int, ...]]
    splits: dict[str, list[str]]
    images: dict[str, Path]
    masks: dict[str, Path]


def read_folder(root: Path, *, scored_splits: Sequence[str]) -> Folder:
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
    for split, image_ids in splits.items():
        where = f"in {root}/splits/{split}.txt"
        check_found(image_ids, labels, what=where, expected=f"a row in {root}/labels.csv")
    listed = sorted({image_id for image_ids in splits.values() for image_id in image_ids})
    images = find_images(root / "images", image_ids=listed)
    for split, image_ids in splits.items():
        where = f"in {root}/splits/{split}.txt"
        check_found(image_ids, images, what=where, expected=f"a JPEG or PNG in {root}/images")
    check_classes_trained(root, class_names, [labels[i] for i in splits[TRAIN_SPLIT]])
    candidates = {image_id: root / "masks" / f"{image_id}.png" for image_id in listed}
    masks = {image_id: path for image_id, path in candidates.items() if path.is_file()}
    for split in scored_splits:
        what = f"of the scored split {split}"
        check_found(splits[split], masks, what=what, expected=f"a mask {root}/masks/<image>.png")
    return Folder(
        class_names=class_names,
        labels={image_id: labels[image_id] for image_id in listed},
        splits=splits,
        images=images,
        masks=masks,
    )


def read_classes(path: Path) -> tuple[str, ...]:
    """Reads classes.txt: one foreground class per line."""
    names = [line.strip() for line in _read_text(path).strip().splitlines()]
    if not names:
        raise UserError(f"{path} is empty; expected one class name per line")
    if "" in names:
        raise UserError(f"{path} line {names.index('') + 1} is empty; expected a class name")
    if repeated := _repeated(names):
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
    rows = list(csv.reader(_read_text(path).splitlines()))
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


def read_splits(directory: Path, *, required: Sequence[str]) -> dict[str, list[str]]:
    """Reads all lists of image ids.

    Args:
        directory: Where <split>.txt are, one id per line.
        required: Names that must be among them.
    """
    for name in required:
        if not (directory / f"{name}.txt").is_file():
            raise UserError(f"{directory}/{name}.txt is missing; expected one image id per line")
    paths = sorted(path for path in directory.glob("*.txt") if not path.name.startswith("."))
    return {path.stem: _read_ids(path) for path in paths}


def find_images(directory: Path, *, image_ids: Iterable[str]) -> dict[str, Path]:
    """Finds the files of the images that are listed; others in the directory are left alone."""
    if not directory.is_dir():
        raise UserError(f"{directory} is missing; expected the images as <id>.jpg or <id>.png")
    listed = set(image_ids)
    images: dict[str, Path] = {}
    for path in sorted(directory.iterdir()):
        if path.suffix.lower() not in IMAGE_SUFFIXES or path.stem not in listed:
            continue
        if path.stem in images:
            other = images[path.stem].name
            raise UserError(f"{directory} has both {other} and {path.name}; expected one of them")
        if path.is_file():
            images[path.stem] = path
    return images


def check_held_out(root: Path, splits: dict[str, list[str]]) -> None:
    """Refuses images that are both trained on and held out for scoring."""
    trained = set(splits[TRAIN_SPLIT])
    for split in HELD_OUT_SPLITS:
        if both := [image_id for image_id in splits.get(split, []) if image_id in trained]:
            raise UserError(
                f"{_count(both, 'image')} in both {TRAIN_SPLIT}.txt and {split}.txt of "
                f"{root}/splits: {name_some(both)}; expected no image in both"
            )


def check_all_scored(
    root: Path, splits: dict[str, list[str]], *, scored_splits: Sequence[str]
) -> None:
    """Refuses images that are trained on but not scored: there are no shards for them."""
    scored = {image_id for split in scored_splits for image_id in splits[split]}
    if rest := [image_id for image_id in splits[TRAIN_SPLIT] if image_id not in scored]:
        raise UserError(
            f"shards.extra is 0, but {_count(rest, 'image')} of {root}/splits/{TRAIN_SPLIT}.txt "
            f"not in {' or '.join(scored_splits)}: {name_some(rest)}; expected at least 1 shard "
            "for the rest"
        )


def check_found(
    image_ids: Iterable[str], found: Iterable[str], *, what: str, expected: str
) -> None:
    """Refuses ids without a counterpart.

    Args:
        image_ids: Ids that are listed.
        found: Ids that have the counterpart.
        what: Where they are listed, for the message.
        expected: The counterpart, for the message.
    """
    known = set(found)
    if missing := [image_id for image_id in image_ids if image_id not in known]:
        names = name_some(missing)
        raise UserError(f"{_count(missing, 'image')} {what} without {expected}: {names}")


def check_classes_trained(
    root: Path, class_names: Sequence[str], labels: Sequence[tuple[int, ...]]
) -> None:
    """Refuses classes that no training image shows: nothing could be learnt about them."""
    seen = [any(values) for values in zip(*labels, strict=True)]
    if missing := [name for name, found in zip(class_names, seen, strict=True) if not found]:
        raise UserError(
            f"no image of {root}/splits/{TRAIN_SPLIT}.txt has the label {name_some(missing)} "
            f"in {root}/labels.csv; expected at least one for each class of classes.txt"
        )


def _check_columns(path: Path, columns: Sequence[str], class_names: Sequence[str]) -> None:
    if repeated := _repeated(columns):
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


def _read_ids(path: Path) -> list[str]:
    lines = [line.strip() for line in _read_text(path).splitlines()]
    for number, line in enumerate(lines, start=1):
        if line.startswith(".") or any(char.isspace() or char in "/\\" for char in line):
            raise UserError(
                f"{path} line {number} is {line[:60]!r}; expected an image id, that is a file "
                "name of images/ without its extension"
            )
    image_ids = [line for line in lines if line]
    if not image_ids:
        raise UserError(f"{path} is empty; expected one image id per line")
    if repeated := _repeated(image_ids):
        raise UserError(f"{path} lists {name_some(repeated)} more than once; expected each once")
    return image_ids


def _read_text(path: Path) -> str:
    if not path.is_file():
        raise UserError(f"{path} is missing; expected a text file of the dataset layout")
    try:
        return path.read_text(encoding="utf-8-sig")  # spreadsheet programs write a BOM
    except UnicodeDecodeError:
        raise UserError(f"{path} is not UTF-8 text; expected UTF-8") from None


def _repeated(names: Iterable[str]) -> list[str]:
    return [name for name, count in Counter(names).items() if count > 1]


def _count(items: Sequence[str], noun: str) -> str:
    return f"{len(items)} {noun}{'s' if len(items) != 1 else ''}"
