"""What a table or annotation says: which pictures there are, and the tags of each."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple, Protocol

import numpy as np
from numpy.typing import NDArray

from wsss_core.prepare.findings import Findings
from wsss_core.prepare.names import BadNameError, read_class_name, read_id
from wsss_core.runtime.errors import name_some


class MaskDrawing(Protocol):
    """A mask that is kept as shapes: drawn when the dataset is prepared."""

    def draw(self) -> NDArray[np.uint8]:
        """Class indices [H, W], 0 background.

        Raises:
            ValueError: The shapes are damaged; without where they are.
        """


class Row(NamedTuple):
    """One entry of a table or annotation.

    Attributes:
        name: The picture, as it is written there.
        tags: As they are written there.
        where: File and line, for messages.
    """

    name: str
    tags: tuple[str, ...]
    where: str


@dataclass
class Labelling:
    """The tags of the pictures, by image id.

    Attributes:
        form: What has been read, in words.
        file: From where, for messages.
        tags: Class names of each picture.
        where: File and line of each picture.
        class_names: All classes, where the form has an order of its own.
        images: The file of each picture, where the form knows it.
        masks: Drawings of masks, indexed by the order of `class_names`.
        splits: Image ids by split, where the form has splits.
        left_out: Files that are not read, with the reason.
        bad_tags: Tags that cannot be classes, as messages show them; they have been told.
    """

    form: str
    file: Path
    tags: dict[str, frozenset[str]]
    where: dict[str, str]
    class_names: tuple[str, ...] | None = None
    images: dict[str, Path] | None = None
    masks: dict[str, MaskDrawing] = field(default_factory=dict)
    splits: dict[str, list[str]] = field(default_factory=dict)
    left_out: list[str] = field(default_factory=list)
    bad_tags: set[str] = field(default_factory=set)


def collect(form: str, file: Path, rows: Iterable[Row], findings: Findings) -> Labelling:
    """Makes a labelling of rows: ids and class names are read, pictures that stand twice refused.

    Args:
        form: What has been read, in words.
        file: From where, for messages.
        rows: Each names a picture.
        findings: Gets the mistakes; the rows that have one are left out.
    """
    labelling = Labelling(form, file, tags={}, where={})
    bad_tags: dict[str, dict[str, str]] = {}
    for row in rows:
        try:
            image_id = read_id(row.name)
        except BadNameError as error:
            findings.error(f"{row.where}: image is {error}")
            continue
        if image_id in labelling.tags:
            findings.error(
                f"{row.where}: image {image_id!r} is there twice; expected once (also "
                f"{labelling.where[image_id]})"
            )
            continue
        labelling.tags[image_id] = _read_tags(row, bad_tags)
        labelling.where[image_id] = row.where
    for reason, wheres in bad_tags.items():
        (where, *_), names = wheres.values(), [*wheres]
        findings.error(f"{where}: the tag is {name_some(names)}{reason}")
        labelling.bad_tags.update(names)
    return labelling


def _read_tags(row: Row, bad_tags: dict[str, dict[str, str]]) -> frozenset[str]:
    """The class names of a row; those that cannot be one are noted by reason and name."""
    names = set()
    for tag in row.tags:
        try:
            names.add(read_class_name(tag))
        except BadNameError as error:
            bad_tags.setdefault(error.reason, {}).setdefault(error.name, row.where)
    return frozenset(names)
