"""Which picture files are in a user's folder."""

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
    """Where the pictures are: images/, JPEGImages/, or else the folder itself and those in it."""
    return next((root / name for name in IMAGE_FOLDERS if (root / name).is_dir()), root)


def all_files(folder: Path) -> Iterator[Path]:
    """The files of a folder and those in it, sorted, but masks, lists and hidden ones."""
    for place, folders, names in os.walk(folder):
        folders[:] = sorted(n for n in folders if not n.startswith(".") and n not in OTHER_FOLDERS)
        for name in sorted(names):
            if not name.startswith("."):  # also what a Mac adds to archives
                yield Path(place, name)


def is_picture(path: Path) -> bool:
    """Whether a file is a picture by its name."""
    return path.suffix.lower() in SUFFIXES


def find_images(
    folder: Path, *, image_ids: Iterable[str], findings: Findings
) -> tuple[dict[str, Path], list[Path]]:
    """Finds the files of the images that are listed, of whatever suffix.

    Args:
        folder: Where to look.
        image_ids: Those that are listed.
        findings: Gets images of which there are two files.

    Returns:
        The file of each image that has one; pictures that are not listed.
    """
    listed = set(image_ids)
    found: dict[str, list[Path]] = {}
    unlisted = []
    for path in all_files(folder):
        image_id = file_id(path)
        if image_id in listed and path.is_file():  # no dead link
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
    """Finds mask files by image id, and names files that can be none."""
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
    """Names of files for a message, also of those whose names are no UTF-8."""
    names = [path.name for path in paths]
    return name_some([ascii(n) if has_controls(n) else n for n in names], limit=limit)
