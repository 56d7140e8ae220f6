"""A note of where a weights file is, and which bytes it has."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, NamedTuple

from wsss_core.runtime.atomic import atomic_file
from wsss_core.runtime.errors import UserError
from wsss_core.runtime.file_digest import file_digest


class WeightsNote(NamedTuple):
    """Facts of a weights file.

    Attributes:
        file: Its path, relative to where the workflow runs or absolute.
        size: Bytes.
        sha256: Of the whole file, in hex.
        source: Where it came from: an address, a package with its version, or the path alone.
    """

    file: str
    size: int
    sha256: str
    source: str


def note_of(path: Path, source: str) -> WeightsNote:
    """Reads a weights file and takes a note of it."""
    return WeightsNote(str(path), path.stat().st_size, file_digest(path), source)


def write_note(path: Path, note: WeightsNote) -> None:
    """Writes a note, whole or not at all."""
    with atomic_file(path) as temporary:
        temporary.write_text(json.dumps(note._asdict(), indent=1) + "\n", encoding="utf-8")


def read_note(path: Path) -> WeightsNote:
    """Reads what `write_note` wrote."""
    try:
        content: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
        return WeightsNote(**content)
    except (OSError, ValueError, TypeError) as error:
        raise UserError(f"{path}: not a note of obtain_weights ({error})") from error


def check_unchanged(note: WeightsNote) -> None:
    """Raises UserError where the file is no longer the one that was noted."""
    path = Path(note.file)
    if not path.is_file():
        raise UserError(f"{path}: weights file not found; expected it where obtain_weights saw it")
    found = note_of(path, note.source)
    if found.sha256 != note.sha256:
        raise UserError(
            f"{path}: sha256 is {found.sha256}; expected {note.sha256}, as it was noted"
        )
