"""Finds the picture files that the arguments of a command mean."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

from wsss_core.data.pictures import SUFFIXES
from wsss_core.runtime.errors import UserError, name_some


class Picture(NamedTuple):
    """A picture file and its name.

    The name has no extension. It starts with the folders below the given folder, separated by `/`.
    """

    name: str
    path: Path


def find_pictures(inputs: Sequence[Path], *, output: Path) -> list[Picture]:
    """Lists the pictures that files and folders stand for.

    Args:
        inputs: Files of any extension, and folders. A folder stands for the files with a picture's
            extension in it and in its subfolders, except hidden ones.
        output: A folder that is skipped if it lies in an input folder.

    Returns:
        The pictures in the order of the inputs; those of one folder are sorted.

    Raises:
        UserError: An input is missing or holds no picture, or two pictures have the same name.
    """
    found: dict[str, Path] = {}
    for given in inputs:
        for name, path in _files(given, output):
            if found.setdefault(name, path) != path:
                raise UserError(
                    f"{found[name]} and {path} would both become {name}.png; "
                    "expected names that differ before the extension"
                )
    return [Picture(name, path) for name, path in found.items()]


def _files(given: Path, output: Path) -> list[tuple[str, Path]]:
    if given.is_file():
        return [(given.stem, given)]
    if not given.is_dir():
        raise UserError(f"{given}: no such file or folder; expected pictures")
    files = sorted(_walk(given, output))
    pictures = [path for path in files if path.suffix.lower() in SUFFIXES]
    if not pictures:
        raise UserError(f"{given}: no picture in this folder; expected {', '.join(SUFFIXES)}")
    if others := [path.name for path in files if path.suffix.lower() not in SUFFIXES]:
        sys.stderr.write(f"{given}: skipped, no picture's extension: {name_some(others)}\n")
    return [(path.relative_to(given).with_suffix("").as_posix(), path) for path in pictures]


def _walk(given: Path, output: Path) -> Iterator[Path]:
    """Yields all files below a folder but hidden ones and those in `output`; follows no links."""
    left_out = output.resolve()
    for folder, folders, names in os.walk(given):
        below = [Path(folder, name) for name in folders if not name.startswith(".")]
        folders[:] = [path.name for path in below if path.resolve() != left_out]
        paths = [Path(folder, name) for name in names if not name.startswith(".")]
        yield from (path for path in paths if path.is_file())
