"""Notes that record the path, size and sha256 of a weights file."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, NamedTuple

from wsss_core.runtime.atomic import atomic_file
from wsss_core.runtime.errors import UserError
from wsss_core.runtime.file_digest import file_digest


class WeightsNote(NamedTuple):
    """Properties of a weights file.

    Attributes:
        file: Its path, absolute or relative to the working directory of the workflow.
        size: Size in bytes.
        sha256: Digest of the whole file, in hex.
        source: Origin of the file: an address, a package with its version, or only the path.
    """

    file: str
    size: int
    sha256: str
    source: str


def note_of(path: Path, source: str) -> WeightsNote:
    """Returns the properties of a weights file."""
    return WeightsNote(str(path), path.stat().st_size, file_digest(path), source)


def write_note(path: Path, note: WeightsNote) -> None:
    """Writes a note; after an error, the file is not there or is the old one."""
    with atomic_file(path) as temporary:
        temporary.write_text(json.dumps(note._asdict(), indent=1) + "\n", encoding="utf-8")


def read_note(path: Path) -> WeightsNote:
    """Reads a note of `write_note`; raises UserError if it is missing or damaged."""
    try:
        content: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
        return WeightsNote(**content)
    except (OSError, ValueError, TypeError) as error:
        raise UserError(f"{path}: not a note of obtain_weights ({error})") from error


def check_unchanged(note: WeightsNote) -> None:
    """Raises UserError if the file is missing or its content has changed since the note."""
    path = Path(note.file)
    if not path.is_file():
        raise UserError(f"{path}: weights file not found; expected it where obtain_weights saw it")
    found = note_of(path, note.source)
    if found.sha256 != note.sha256:
        raise UserError(
            f"{path}: sha256 is {found.sha256}; expected {note.sha256}, as obtain_weights noted"
        )
