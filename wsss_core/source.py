"""What a dataset is made from, whoever brings it, and the checks that all sources share.

Every mistake is a UserError of one line; several of a kind are told as one, with the first names.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from wsss_core.dataset import TRAIN_SPLIT
from wsss_core.errors import UserError, name_some

IMAGE_SUFFIXES = (".jpg", ".jpeg", ".png")
HELD_OUT_SPLITS = ("val", "test")  # `train`, in contrast, is usually a part of train_aug


@dataclass(frozen=True)
class Source:
    """Images, labels and masks as they are found, checked for consistency; no image is opened yet.

    Attributes:
        root: Where it comes from, for messages.
        class_names: The foreground classes.
        labels: One 0 or 1 per class, in their order, by id, of the images in a split.
        splits: Image ids by split.
        images: Image file by id, of the images in a split.
        masks: Mask file by id, of those that have one.
    """

    root: Path
    class_names: tuple[str, ...]
    labels: dict[str, tuple[int, ...]]
    splits: dict[str, list[str]]
    images: dict[str, Path]
    masks: dict[str, Path]


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


def check_all_scored(source: Source, *, scored_splits: Sequence[str]) -> None:
    """Refuses images that are trained on but not scored: there are no shards for them."""
    splits = source.splits
    scored = {image_id for split in scored_splits for image_id in splits[split]}
    if rest := [image_id for image_id in splits[TRAIN_SPLIT] if image_id not in scored]:
        raise UserError(
            f"shards.extra is 0, but {_count(rest, 'image')} in {TRAIN_SPLIT} of {source.root} "
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


def _count(items: Sequence[str], noun: str) -> str:
    return f"{len(items)} {noun}{'s' if len(items) != 1 else ''}"
