"""Image ids and class names: NFC, one line, without control characters."""

from __future__ import annotations

import unicodedata
from collections import Counter
from collections.abc import Iterable
from pathlib import Path

from wsss_core.data.pictures import SUFFIXES

# Unicode's controls, surrogates and line ends: lists of names could not be read again.
FORBIDDEN_CATEGORIES = ("Cc", "Cs", "Zl", "Zp")
# Columns of labels.csv, class_coverage.csv and the tables of scores.
COLUMNS = (
    *("image", "background", "method", "seed", "seeds", "stage", "split", "threshold", "miou"),
    "sd",
)
LONGEST = 251  # bytes of an id: file systems take 255, and .png is added
LONGEST_CLASS = 100  # characters: a longer tag is text that got into the wrong cell


class BadNameError(Exception):
    """A name that cannot be used.

    Attributes:
        name: As a message shows it.
        reason: What is wrong and what was expected, to stand behind the name.
    """

    def __init__(self, name: str, reason: str) -> None:
        super().__init__(f"{name}{reason}")
        self.name = name
        self.reason = reason


def read_id(text: str) -> str:
    """Reads an image id: the name of its file, with or without folder and extension.

    Args:
        text: The name. It may have spaces and any letters, however their accents are encoded: a
            file system may do so in another way than a table.

    Returns:
        The id, without folder and extension, composed (Unicode's NFC).

    Raises:
        BadNameError: No file can have this name, or none that is listed line by line.
    """
    folders, name = text.replace("\\", "/").split("/")[:-1], text.replace("\\", "/").split("/")[-1]
    leaves = folders and (folders[0] == "" or folders[0].endswith(":") or ".." in folders)
    if not name or name.startswith(".") or leaves or has_controls(text):
        raise BadNameError(shown(text), "; expected an image id, that is a file name of images/")
    image_id = file_id(Path(name))
    if len(image_id.encode()) > LONGEST:
        raise BadNameError(shown(text), f"..., too long; expected {LONGEST} bytes at most")
    return image_id


def file_id(path: Path) -> str:
    """The image id that a file's name stands for."""
    return composed(path.stem if path.suffix.lower() in SUFFIXES else path.name)


def read_class_name(text: str) -> str:
    """Reads the name of a class.

    Returns:
        The name, composed (Unicode's NFC), without spaces around it.

    Raises:
        BadNameError: It has no letters, too many, or a line break, or a table of ours has a
            column of its name.
    """
    name = composed(text.strip())
    if not name or has_controls(name):
        raise BadNameError(shown(text), "; expected a class name of one line")
    if len(name) > LONGEST_CLASS:
        raise BadNameError(shown(name), f"..., too long; expected {LONGEST_CLASS} letters at most")
    if name.casefold() in COLUMNS:
        reason = ", which tables of results have a column of; expected another class name"
        raise BadNameError(shown(name), reason)
    return name


def has_controls(text: str) -> bool:
    """Whether a name could not be written into a list, line by line, in UTF-8."""
    return any(unicodedata.category(char) in FORBIDDEN_CATEGORIES for char in text)


def composed(text: str) -> str:
    """The text with its accents in one encoding, Unicode's NFC."""
    return unicodedata.normalize("NFC", text)


def shown(text: str) -> str:
    """A name for a message, on one line."""
    return ascii(text[:60]) if has_controls(text) else repr(text[:60])


def repeated_names(names: Iterable[str]) -> list[str]:
    """Those that occur more than once."""
    return [name for name, count in Counter(names).items() if count > 1]
