"""The source of a dataset, and the checks that all kinds of sources share.

Several mistakes of the same kind are reported as one, with the first few names.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from wsss_core.data.dataset import TEST_SPLIT, TRAIN_SPLIT
from wsss_core.prepare.findings import Findings
from wsss_core.prepare.labelling import MaskDrawing
from wsss_core.runtime.errors import UserError, name_some

TRAINED_ON = "train"  # splits with this prefix usually are a part of train_aug


@dataclass(frozen=True)
class Source:
    """The images, labels and masks that were found and checked for consistency, before decoding.

    Attributes:
        root: Folder of the source, for messages.
        class_names: The foreground classes.
        mask_classes: The classes in the order of the indices in masks. These are more than
            class_names if only some classes were chosen.
        labels: By image id: one 0 or 1 per class, for the images that need a label.
        splits: Image ids by split.
        images: By image id: the image file, for the images of all splits.
        masks: By image id: the mask, as a file or a drawing, for the images that have one.
        form: Name of the form of the labels.
        left_out: Messages about the parts of the source that are not read.
    """

    root: Path
    class_names: tuple[str, ...]
    mask_classes: tuple[str, ...]
    labels: dict[str, tuple[int, ...]]
    splits: dict[str, list[str]]
    images: dict[str, Path]
    masks: dict[str, Path | MaskDrawing]
    form: str = ""
    left_out: tuple[str, ...] = ()


def labelled_ids(splits: Mapping[str, Sequence[str]], *, scored_splits: Sequence[str]) -> list[str]:
    """Lists the images that need a label: all except those of an unscored test split.

    Args:
        splits: Image ids by split.
        scored_splits: Splits that are scored by their masks.

    Returns:
        Image ids, sorted.
    """
    unscored = {TEST_SPLIT} - set(scored_splits)
    return sorted({i for split, ids in splits.items() if split not in unscored for i in ids})


def choose_classes(source: Source, class_names: Sequence[str]) -> Source:
    """Keeps only some classes, and drops the images that show other classes.

    Images without a label (those of the test split) are kept.

    Args:
        source: The source with all classes.
        class_names: The classes to keep, in their new order.

    Raises:
            UserError: A class is unknown, or no image of a split is left.
    """
    if unknown := [name for name in class_names if name not in source.class_names]:
        raise UserError(
            f"dataset.classes has {name_some(unknown)}; expected some of "
            f"{name_some(source.class_names, limit=20)}"
        )
    order = [source.class_names.index(name) for name in class_names]
    labels = {
        image_id: tuple(label[k] for k in order)
        for image_id, label in source.labels.items()
        if sum(label) == sum(label[k] for k in order)
    }
    dropped = source.labels.keys() - labels.keys()
    splits = {
        split: [image_id for image_id in image_ids if image_id not in dropped]
        for split, image_ids in source.splits.items()
    }
    if empty := [split for split, image_ids in splits.items() if not image_ids]:
        raise UserError(
            f"dataset.classes: each image in {empty[0]} of {source.root} has another class than "
            f"{name_some(class_names)}; expected an image without others"
        )
    return replace(
        source,
        class_names=tuple(class_names),
        labels=labels,
        splits=splits,
        images={i: path for i, path in source.images.items() if i not in dropped},
        masks={i: path for i, path in source.masks.items() if i not in dropped},
    )


def check_held_out(
    root: Path,
    splits: Mapping[str, Sequence[str]],
    *,
    scored_splits: Sequence[str],
    findings: Findings,
) -> None:
    """Refuses images that are both in train_aug and in a split that is held out for scoring."""
    trained = set(splits[TRAIN_SPLIT])
    for split in dict.fromkeys((*scored_splits, "val", TEST_SPLIT)):
        if split.startswith(TRAINED_ON):
            continue
        if both := [image_id for image_id in splits.get(split, []) if image_id in trained]:
            findings.error(
                f"{_count(both, 'image')} in both {TRAIN_SPLIT} and {split} of {root}: "
                f"{name_some(both)}; expected no image in both"
            )


def check_all_eval(source: Source, *, scored_splits: Sequence[str]) -> None:
    """Refuses training images that are not scored: if shards.train_only is 0, no job reads them."""
    splits = source.splits
    scored = {image_id for split in scored_splits for image_id in splits[split]}
    if rest := [image_id for image_id in splits[TRAIN_SPLIT] if image_id not in scored]:
        raise UserError(
            f"shards.train_only is 0, but {_count(rest, 'image')} in {TRAIN_SPLIT} of "
            f"{source.root} not in {' or '.join(scored_splits)}: {name_some(rest)}; "
            "expected at least 1 shard for the rest"
        )


def check_found(
    image_ids: Iterable[str],
    found: Iterable[str],
    *,
    what: str,
    expected: str,
    findings: Findings,
) -> None:
    """Refuses listed images without a counterpart, such as a label or a mask.

    Args:
        image_ids: The listed ids.
        found: Ids that have the counterpart.
        what: Where the ids are listed, for the message.
        expected: Name of the counterpart, for the message.
        findings: Receives the mistake.
    """
    known = set(found)
    if missing := [image_id for image_id in image_ids if image_id not in known]:
        findings.error(
            f"{_count(missing, 'image')} {what} without {expected}: {name_some(missing)}"
        )


def check_classes_trained(source: Source, findings: Findings) -> None:
    """Refuses classes that no training image has, since nothing can be learnt about them."""
    labels = [source.labels[i] for i in source.splits[TRAIN_SPLIT] if i in source.labels]
    seen = [any(label[k] for label in labels) for k in range(len(source.class_names))]
    if missing := [n for n, found in zip(source.class_names, seen, strict=True) if not found]:
        findings.error(
            f"no image in {TRAIN_SPLIT} of {source.root} has the label {name_some(missing)}; "
            "expected at least one for each class"
        )


def _count(items: Sequence[str], noun: str) -> str:
    return f"{len(items)} {noun}{'s' if len(items) != 1 else ''}"
