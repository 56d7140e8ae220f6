"""The contents of a table or annotation file: the pictures, and the tags of each."""

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
    """A mask that is stored as shapes; it is drawn when the dataset is prepared."""

    def draw(self) -> NDArray[np.uint8]:
        """Draws the mask: uint8 [H, W] class indices, 0 background.

        Raises:
            ValueError: The shapes are damaged. The message does not name the file.
        """


class Row(NamedTuple):
    """One entry of a table or annotation.

    Attributes:
        name: The picture, as written there.
        tags: The tags, as written there.
        where: File and line, for messages.
    """

    name: str
    tags: tuple[str, ...]
    where: str


@dataclass
class Labelling:
    """The tags of the pictures, by image id.

    Attributes:
        form: Name of the form of the labels, for messages.
        file: The file or folder of the labels, for messages.
        tags: Class names of each picture.
        where: File and line of each picture.
        class_names: All classes, if the form defines their order.
        images: The file of each picture, if the form knows it.
        masks: Drawings of masks; their indices follow `class_names`.
        splits: Image ids by split, if the form has splits.
        left_out: Messages about files that are not read, with the reason.
        bad_tags: Tags that cannot be class names, as messages show them. They are reported already.
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
    """Builds a labelling from rows, and refuses bad ids, bad class names and repeated pictures.

    Args:
        form: Name of the form of the labels, for messages.
        file: The file or folder of the labels, for messages.
        rows: One row per picture.
        findings: Receives the mistakes. A row with a bad id or a repeated picture is left out.
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
                f"{row.where}: image {image_id!r} occurs twice; expected once (also in "
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
    """Returns the class names of a row; adds tags that cannot be one to `bad_tags`."""
    names = set()
    for tag in row.tags:
        try:
            names.add(read_class_name(tag))
        except BadNameError as error:
            bad_tags.setdefault(error.reason, {}).setdefault(error.name, row.where)
    return frozenset(names)
