"""In what precision a stage's results were computed; it is kept beside them.

With `auto` that depends on the machine of the job, so the config does not tell it.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import NamedTuple

from wsss_core.data.images import read_mask_notes
from wsss_core.runtime.errors import UserError

KEYWORD = "computed_in"  # in score files, and in the PNG files of masks
USUAL = "float32"


class ComputedIn(NamedTuple):
    """The precision of a network's training and of its application, by torch's names of dtypes."""

    training: str | None  # None: it was not trained here
    inference: str


def mask_notes(precision: ComputedIn) -> dict[str, str]:
    """What `write_mask` keeps in the file of a mask."""
    return {KEYWORD: json.dumps(precision._asdict())}


def read_computed_in(masks: Iterable[Path]) -> list[ComputedIn]:
    """Reads the note of one mask in each directory, which one job has written.

    Masks without a note are left out.
    """
    one_of_each = {path.parent: path for path in masks}
    return [found for path in one_of_each.values() if (found := _read(path)) is not None]


def deviations(precisions: Sequence[ComputedIn]) -> str | None:
    """Says what was not computed in float32: `trained in bfloat16`; None: everything was.

    Args:
        precisions: Of each part of a result.
    """
    phrases = []
    for verb, names in (
        ("trained", {p.training for p in precisions if p.training is not None}),
        ("applied", {p.inference for p in precisions}),
    ):
        if names - {USUAL}:
            phrases.append(f"{verb} in {' and '.join(sorted(names))}")
    return ", ".join(phrases) or None


def _read(path: Path) -> ComputedIn | None:
    note = read_mask_notes(path).get(KEYWORD)
    try:
        return None if note is None else ComputedIn(**json.loads(note))
    except (ValueError, TypeError) as error:
        raise UserError(f"{path}: {KEYWORD} is not what a stage has written ({error})") from error
