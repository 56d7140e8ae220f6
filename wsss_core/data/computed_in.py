"""The precision in which a stage computed its results. It is stored with the results.

With precision `auto` it depends on the machine of the job, so the config alone does not tell it.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import NamedTuple

from wsss_core.data.images import read_mask_notes
from wsss_core.runtime.errors import UserError

KEYWORD = "computed_in"  # key in score files and in the PNG files of masks
USUAL = "float32"


class ComputedIn(NamedTuple):
    """The precision of a network's training and of its inference, as names of torch dtypes."""

    training: str | None  # None: the network was not trained here
    inference: str


def mask_notes(precision: ComputedIn) -> dict[str, str]:
    """Returns the notes about precision that `write_mask` stores in a mask file."""
    return {KEYWORD: json.dumps(precision._asdict())}


def read_computed_in(masks: Iterable[Path]) -> list[ComputedIn]:
    """Reads the note of one mask per directory, since one job writes all masks of a directory.

    Masks without a note are skipped.
    """
    one_of_each = {path.parent: path for path in masks}
    return [found for path in one_of_each.values() if (found := _read(path)) is not None]


def deviations(precisions: Sequence[ComputedIn]) -> str | None:
    """Says what was not computed in float32, such as "trained in bfloat16".

    Args:
        precisions: The precision of each part of a result.

    Returns:
        The text; None: everything was computed in float32.
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
