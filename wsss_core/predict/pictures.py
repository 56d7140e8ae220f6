"""Pictures from anywhere: which files of a command line are some."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from wsss_core.data.pictures import SUFFIXES
from wsss_core.runtime.errors import UserError, name_some


class Picture(NamedTuple):
    """A picture file, and its name without folder and extension."""

    name: str
    path: Path


def find_pictures(inputs: Sequence[Path]) -> list[Picture]:
    """Lists the pictures that are meant by files and folders.

    Args:
        inputs: Files, whatever their extension, and folders, of which the files with an extension
            of a picture count; folders in them do not.

    Returns:
        In the order of the inputs, those of a folder sorted.

    Raises:
        UserError: An input is missing or holds no picture, or two pictures have the same name.
    """
    paths = [path for given in inputs for path in _files(given)]
    found: dict[str, Path] = {}
    for path in dict.fromkeys(paths):
        if path.stem in found:
            raise UserError(
                f"{found[path.stem]} and {path} would both become {path.stem}.png; "
                "expected names that differ before the extension"
            )
        found[path.stem] = path
    return [Picture(name, path) for name, path in found.items()]


def _files(given: Path) -> list[Path]:
    if given.is_file():
        return [given]
    if not given.is_dir():
        raise UserError(f"{given}: no such file or folder; expected pictures")
    files = sorted(p for p in given.iterdir() if p.is_file() and not p.name.startswith("."))
    pictures = [path for path in files if path.suffix.lower() in SUFFIXES]
    if not pictures:
        raise UserError(f"{given}: no picture in this folder; expected {', '.join(SUFFIXES)}")
    if others := [path.name for path in files if path not in pictures]:
        sys.stderr.write(f"{given}: left out, no pictures by their names: {name_some(others)}\n")
    return pictures
