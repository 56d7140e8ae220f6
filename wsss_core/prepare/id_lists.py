"""Strict reading of text files that a user brings: plain text, image ids, and lists of them."""

from __future__ import annotations

import unicodedata
from collections import Counter
from collections.abc import Iterable, Sequence
from pathlib import Path

from wsss_core.runtime.errors import UserError, name_some

IMAGE_SUFFIXES = (".jpg", ".jpeg", ".png")
# Unicode's controls and line ends: lists of ids could not be read again.
FORBIDDEN_CATEGORIES = ("Cc", "Zl", "Zp")


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
    lines = [line.strip() for line in read_text(path).split("\n")]
    image_ids = [
        read_id(line, where=f"{path} line {number}")
        for number, line in enumerate(lines, start=1)
        if line
    ]
    if not image_ids:
        raise UserError(f"{path} is empty; expected one image id per line")
    if repeated := repeated_names(image_ids):
        raise UserError(f"{path} lists {name_some(repeated)} more than once; expected each once")
    return image_ids


def read_id(text: str, *, where: str) -> str:
    """Reads an image id: the name of its file, with or without the extension.

    Args:
        text: The name. It may have spaces and any letters, however their accents are encoded: a
            file system may do so in another way than a table.
        where: Where it stands, for the message.

    Returns:
        The id, without extension, composed (Unicode's NFC).

    Raises:
        UserError: No file can have this name, or none that is listed line by line.
    """
    controls = [char for char in text if unicodedata.category(char) in FORBIDDEN_CATEGORIES]
    if not text or text.startswith(".") or controls or "/" in text or "\\" in text:
        raise UserError(
            f"{where} is {text[:60]!r}; expected an image id, that is a file name of images/"
        )
    return file_id(Path(text)) if text.lower().endswith(IMAGE_SUFFIXES) else _composed(text)


def file_id(path: Path) -> str:
    """The image id that a file's name stands for."""
    return _composed(path.stem)


def _composed(text: str) -> str:
    return unicodedata.normalize("NFC", text)


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
