"""Reads text files in the encodings that spreadsheets and editors write."""

from __future__ import annotations

import codecs
from pathlib import Path

from wsss_core.runtime.errors import UserError


def read_text(path: Path) -> str:
    """Reads a file in UTF-8, UTF-16 or Windows' cp1252; all line ends become a line feed.

    Raises:
        UserError: The file is missing, or it is not text.
    """
    if not path.is_file():
        raise UserError(f"{path} is missing; expected a text file")
    data = path.read_bytes()
    for encoding in _encodings(data):
        try:
            text = data.decode(encoding)
        except UnicodeDecodeError:
            continue
        if "\0" not in text:
            return text.replace("\r\n", "\n").replace("\r", "\n")
    raise UserError(f"{path} is not text; expected UTF-8, UTF-16 or cp1252")


def _encodings(data: bytes) -> tuple[str, ...]:
    if data.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        return ("utf-16",)
    if data[1:2] == b"\0":  # Latin letters without a byte order mark
        return ("utf-16-le",)
    if data[:1] == b"\0":
        return ("utf-16-be",)
    return ("utf-8-sig", "cp1252")
