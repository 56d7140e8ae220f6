"""Finds the pictures and masks in a user's folder."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from pathlib import Path

from wsss_core.data.pictures import SUFFIXES
from wsss_core.prepare.findings import Findings
from wsss_core.prepare.names import file_id, has_controls
from wsss_core.runtime.errors import name_some

IMAGE_FOLDERS = ("images", "JPEGImages")
MASK_FOLDERS = ("masks", "SegmentationClass")
MASK_SUFFIXES = (".png", ".tif", ".tiff", ".bmp", ".gif")
OTHER_FOLDERS = (*MASK_FOLDERS, "splits", "annotations", "Annotations", "ImageSets", "__MACOSX")


def image_folder(root: Path) -> Path:
    """Returns the folder of the pictures: images/, JPEGImages/, or else the folder itself."""
    return next((root / name for name in IMAGE_FOLDERS if (root / name).is_dir()), root)


def all_files(folder: Path) -> Iterator[Path]:
    """Yields all files below a folder, sorted, except masks, lists and hidden files."""
    for place, folders, names in os.walk(folder):
        folders[:] = sorted(n for n in folders if not n.startswith(".") and n not in OTHER_FOLDERS)
        for name in sorted(names):
            if not name.startswith("."):  # macOS adds hidden files to archives
                yield Path(place, name)


def is_picture(path: Path) -> bool:
    """Tells whether a file has the extension of a picture."""
    return path.suffix.lower() in SUFFIXES


def find_images(
    folder: Path, *, image_ids: Iterable[str], findings: Findings
) -> tuple[dict[str, Path], list[Path]]:
    """Finds the files of the listed images, with any extension.

    Args:
        folder: The folder to search, with its subfolders.
        image_ids: The listed images.
        findings: Receives an error for each image that has two files.

    Returns:
        The file of each image that has one, and the pictures that are not listed.
    """
    listed = set(image_ids)
    found: dict[str, list[Path]] = {}
    unlisted = []
    for path in all_files(folder):
        image_id = file_id(path)
        if image_id in listed and path.is_file():  # false for a broken link
            found.setdefault(image_id, []).append(path)
        elif is_picture(path):
            unlisted.append(path)
    images = {}
    for image_id, paths in found.items():
        pictures = [path for path in paths if is_picture(path)] or paths
        if len(pictures) > 1:
            names = " and ".join(path.relative_to(folder).as_posix() for path in pictures[:2])
            findings.error(f"{folder} has both {names}; expected one of them")
        images[image_id] = pictures[0]
    return images, unlisted


def find_mask_files(root: Path) -> tuple[dict[str, Path], list[str]]:
    """Finds mask files by image id; also returns the names of the folder's other files."""
    folder = next((root / name for name in MASK_FOLDERS if (root / name).is_dir()), None)
    masks: dict[str, Path] = {}
    others = []
    for path in sorted(folder.iterdir()) if folder else ():
        if path.name.startswith(".") or not path.is_file():
            continue
        if path.suffix.lower() in MASK_SUFFIXES and file_id(path) not in masks:
            masks[file_id(path)] = path
        else:
            others.append(path.name)
    return masks, others


def printable(paths: Iterable[Path], *, limit: int = 5) -> str:
    """Lists file names for a message; names that are not valid UTF-8 are escaped."""
    names = [path.name for path in paths]
    return name_some([ascii(n) if has_controls(n) else n for n in names], limit=limit)
