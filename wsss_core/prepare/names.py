"""Image ids and class names: in Unicode's NFC, on one line, without control characters."""

from __future__ import annotations

import unicodedata
from collections import Counter
from collections.abc import Iterable
from pathlib import Path

from wsss_core.data.pictures import SUFFIXES

# Unicode's controls, surrogates and line ends. A list of names with these could not be read back.
FORBIDDEN_CATEGORIES = ("Cc", "Cs", "Zl", "Zp")
# Names of other columns in labels.csv, class_coverage.csv and the tables of scores.
COLUMNS = (
    *("image", "background", "method", "seed", "seeds", "stage", "split", "threshold", "miou"),
    "sd",
)
LONGEST = 251  # bytes of an id: file systems allow 255, and .png is added
LONGEST_CLASS = 100  # characters: a longer tag is text that got into the wrong cell


class BadNameError(Exception):
    """Reports a name that cannot be used.

    Attributes:
        name: The name, as a message shows it.
        reason: What is wrong and what was expected; a message puts it after the name.
    """

    def __init__(self, name: str, reason: str) -> None:
        super().__init__(f"{name}{reason}")
        self.name = name
        self.reason = reason


def read_id(text: str) -> str:
    """Reads an image id: the name of its file, with or without folder and extension.

    Args:
        text: The name. It may have spaces and any letters. Accents may be encoded in any way, since
            a file system may encode them differently from a table.

    Returns:
        The id, without folder and extension, in Unicode's composed form (NFC).

    Raises:
        BadNameError: No file can have this name, or a list with one name per line cannot hold it.
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
    """Returns the image id of a file."""
    return composed(path.stem if path.suffix.lower() in SUFFIXES else path.name)


def read_class_name(text: str) -> str:
    """Reads the name of a class.

    Returns:
        The name in Unicode's composed form (NFC), without spaces around it.

    Raises:
        BadNameError: The name is empty, too long or has a line break, or one of our tables has a
            column of this name.
    """
    name = composed(text.strip())
    if not name or has_controls(name):
        raise BadNameError(shown(text), "; expected a class name of one line")
    if len(name) > LONGEST_CLASS:
        raise BadNameError(shown(name), f"..., too long; expected {LONGEST_CLASS} letters at most")
    if name.casefold() in COLUMNS:
        reason = ", a column name in tables of results; expected another class name"
        raise BadNameError(shown(name), reason)
    return name


def has_controls(text: str) -> bool:
    """Tells whether a name cannot be written into a UTF-8 list with one name per line."""
    return any(unicodedata.category(char) in FORBIDDEN_CATEGORIES for char in text)


def composed(text: str) -> str:
    """Returns the text in Unicode's composed form (NFC), in which each accent has one encoding."""
    return unicodedata.normalize("NFC", text)


def shown(text: str) -> str:
    """Returns a name for a message, on one line and not too long."""
    return ascii(text[:60]) if has_controls(text) else repr(text[:60])


def repeated_names(names: Iterable[str]) -> list[str]:
    """Returns the names that occur more than once."""
    return [name for name, count in Counter(names).items() if count > 1]
