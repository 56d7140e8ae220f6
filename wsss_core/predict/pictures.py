"""Pictures from anywhere: which files of a command line are some, and reading them."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from PIL import Image, UnidentifiedImageError

from wsss_core.data.images import read_image
from wsss_core.runtime.errors import UserError, name_some

# Of what Pillow reads, the formats that pictures come in: folders also hold PDFs and films.
SUFFIXES = (".avif", ".bmp", ".gif", ".jpeg", ".jpg", ".png", ".ppm", ".tif", ".tiff", ".webp")


class Picture(NamedTuple):
    """A picture file, and its name without folder and extension."""

    name: str
    path: Path


class BadPictureError(Exception):
    """A file that is no whole picture."""


def find_pictures(inputs: Sequence[Path]) -> list[Picture]:
    """Lists the pictures that are meant by files and folders.

    Args:
        inputs: Files, whatever their extension, and folders, of which the files with an extension
            of `SUFFIXES` count; folders in them do not.

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


def read_picture(path: Path) -> NDArray[np.uint8]:
    """Reads a picture upright: uint8 [H, W, 3], RGB.

    Raises:
        BadPictureError: It is no picture, or not a whole one.
    """
    try:
        return read_image(path)
    except UnidentifiedImageError:
        raise BadPictureError("not a picture in a known format") from None
    # Pillow reports damage by whatever its format plugins run into.
    except (OSError, SyntaxError, ValueError, EOFError, Image.DecompressionBombError) as error:
        raise BadPictureError(f"cannot be read ({error})") from None
