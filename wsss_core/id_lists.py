"""Strict reading of text files that a user brings: plain text, and lists of image ids."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from pathlib import Path

from wsss_core.errors import UserError, name_some


def read_splits(directory: Path, *, required: Sequence[str]) -> dict[str, list[str]]:
    """Reads all lists of image ids.

    Args:
        directory: Where <split>.txt are, one id per line.
        required: Names that must be among them.
    """
    for name in required:
        if not (directory / f"{name}.txt").is_file():
            raise UserError(f"{directory}/{name}.txt is missing; expected one image id per line")
    paths = sorted(path for path in directory.glob("*.txt") if not path.name.startswith("."))
    return {path.stem: read_ids(path) for path in paths}


def read_ids(path: Path) -> list[str]:
    """Reads one image id per line.

    Raises:
        UserError: A line is not the name of a file, an id is there twice, or there is none.
    """
    lines = [line.strip() for line in read_text(path).splitlines()]
    for number, line in enumerate(lines, start=1):
        if line.startswith(".") or any(char.isspace() or char in "/\\" for char in line):
            raise UserError(
                f"{path} line {number} is {line[:60]!r}; expected an image id, that is a file "
                "name of images/ without its extension"
            )
    image_ids = [line for line in lines if line]
    if not image_ids:
        raise UserError(f"{path} is empty; expected one image id per line")
    if repeated := repeated_names(image_ids):
        raise UserError(f"{path} lists {name_some(repeated)} more than once; expected each once")
    return image_ids


def read_text(path: Path) -> str:
    """Reads a file as UTF-8."""
    if not path.is_file():
        raise UserError(f"{path} is missing; expected a text file")
    try:
        return path.read_text(encoding="utf-8-sig")  # spreadsheet programs write a BOM
    except UnicodeDecodeError:
        raise UserError(f"{path} is not UTF-8 text; expected UTF-8") from None


def repeated_names(names: Iterable[str]) -> list[str]:
    """Those that occur more than once."""
    return [name for name, count in Counter(names).items() if count > 1]
