"""Labels given by folders that are named after classes: `cats/*.jpg`, `dogs/*.jpg`."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from pathlib import Path

from wsss_core.prepare.findings import Findings
from wsss_core.prepare.labelling import Labelling, Row, collect
from wsss_core.prepare.names import file_id
from wsss_core.prepare.picture_files import OTHER_FOLDERS, all_files, is_picture, printable
from wsss_core.runtime.file_digest import file_digest

SPLIT_NAMES = ("train", "training", "val", "valid", "validation", "test", "testing")


def class_folders(root: Path) -> dict[str, list[Path]]:
    """Lists the pictures of each class's folder, in `root` or else in its `images`."""
    for place in (root, root / "images"):
        folders = {
            path.name: [file for file in all_files(path) if is_picture(file)]
            for path in sorted(place.iterdir() if place.is_dir() else ())
            if path.is_dir() and path.name not in OTHER_FOLDERS and not path.name.startswith(".")
        }
        folders.pop("images", None)
        if found := {name: pictures for name, pictures in folders.items() if pictures}:
            return found
    return {}


def read_class_folders(root: Path, findings: Findings) -> Labelling:
    """Reads the tags of pictures that are sorted into one folder per class.

    A picture that lies in two folders, with the same content, gets both tags. If different pictures
    have the same name, the name of the folder is added before the names.

    Args:
        root: The folder that contains the folders of the classes.
        findings: Receives the mistakes.

    Raises:
        UserError: The folders are named after splits instead of classes.
    """
    folders = class_folders(root)
    if splits := [name for name in folders if name.casefold() in SPLIT_NAMES]:
        raise findings.fail(
            f"{root} has the folder {splits[0]!r}, which names a split, not a class; expected a "
            f"folder for each class; perhaps you mean {root / splits[0]}"
        )
    tags: dict[Path, set[str]] = {}
    first_of: dict[str, Path] = {}
    paths = [(name, path) for name, pictures in folders.items() for path in pictures]
    digests = _digests_of_copies(path for _, path in paths)
    for name, path in paths:
        first = first_of.setdefault(digests.get(path, str(path)), path)
        tags.setdefault(first, set()).add(name)
    by_id = defaultdict(list)
    for path in tags:
        by_id[file_id(path)].append(path)
    names = {
        path: path.name if len(same) == 1 else f"{path.parent.name}-{path.name}"
        for same in by_id.values()
        for path in same
    }
    rows = [Row(names[path], tuple(own), str(path)) for path, own in tags.items()]
    labelling = collect("folders by class", root, rows, findings)
    images = {labelling_where: image_id for image_id, labelling_where in labelling.where.items()}
    labelling.images = {images[str(path)]: path for path in tags if str(path) in images}
    loose = [path for path in sorted(root.iterdir()) if path.is_file() and is_picture(path)]
    if loose:
        labelling.left_out.append(f"pictures outside the classes' folders: {printable(loose)}")
    return labelling


def _digests_of_copies(paths: Iterable[Path]) -> dict[Path, str]:
    """Computes sha256 of the files that have the same size as another file."""
    by_size = defaultdict(list)
    for path in paths:
        by_size[path.stat().st_size].append(path)
    return {path: file_digest(path) for same in by_size.values() if len(same) > 1 for path in same}
