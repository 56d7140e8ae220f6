"""Writes the archive of masks for PASCAL VOC's evaluation server, after checking all masks.

The layout is that of VOCdevkit's documentation (devkit_doc, "Submission of results"): palette PNGs
of class indices. Only the server has the true masks.
"""

from __future__ import annotations

import io
import tarfile
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np
from PIL import Image

from wsss_core.data.dataset import TEST_SPLIT, Dataset
from wsss_core.data.images import voc_palette
from wsss_core.data.mask_files import find_masks
from wsss_core.data.pictures import FORMATS
from wsss_core.prepare.voc.lists import class_names
from wsss_core.runtime.atomic import atomic_file
from wsss_core.runtime.errors import UserError, name_some
from wsss_core.runtime.parallel_map import parallel_map
from wsss_core.runtime.progress import progress

# comp5 allows training on VOC alone. ImageNet weights are other data, so this is comp6.
DIRECTORY = f"results/VOC2012/Segmentation/comp6_{TEST_SPLIT}_cls"


@dataclass(frozen=True)
class Member:
    """A mask of the submission.

    Attributes:
        image_id: Id of the image.
        png: Content of the PNG file.
        problem: What is wrong with it, in one line; None: nothing.
    """

    image_id: str
    png: bytes
    problem: str | None


def write_submission(
    dataset: Dataset, directories: Iterable[Path], output: Path, *, processes: int
) -> None:
    """Checks names, sizes, modes and indices of masks and packs them.

    Args:
        dataset: PASCAL VOC with the split test.
        directories: Directories of <id>.png, one per shard.
        output: The tar file to write. Equal masks give an identical file.
        processes: Number of processes that check masks.

    Raises:
        UserError: The server would refuse the archive, or its scores would be wrong.
    """
    check_classes(dataset)
    paths = find_masks(directories)
    image_ids = sorted(dataset.split(TEST_SPLIT))
    check_names(image_ids, paths)
    items = [(paths[image_id], dataset.image_path(image_id)) for image_id in image_ids]
    check = partial(check_member, num_indices=1 + len(dataset.class_names))
    checked = parallel_map(check, items, processes=processes)
    members = list(progress(checked, total=len(items), desc="checking masks"))
    if problems := [member.problem for member in members if member.problem]:
        plural = "s" if len(problems) > 1 else ""
        raise UserError(
            f"{len(problems)} mask{plural} that the server would not take: "
            f"{name_some(problems, limit=3)}; expected palette PNGs of class indices, of the size "
            "of their images"
        )
    with atomic_file(output) as partial_output, tarfile.open(partial_output, "w") as archive:
        for member in members:
            info = tarfile.TarInfo(f"{DIRECTORY}/{member.image_id}.png")
            info.size = len(member.png)
            archive.addfile(info, io.BytesIO(member.png))


def check_classes(dataset: Dataset) -> None:
    """Raises UserError if the classes are not VOC's, since the server knows only their indices."""
    if dataset.class_names != class_names():
        raise UserError(
            f"{dataset.root}/classes.txt has {name_some(dataset.class_names)}; expected VOC's "
            f"{len(class_names())} classes, as the server has them"
        )


def check_names(image_ids: Iterable[str], paths: Mapping[str, Path]) -> None:
    """Raises UserError if masks are missing, or if there are masks of other images."""
    listed = set(image_ids)
    for what, names in (
        ("without a mask", listed - paths.keys()),
        ("not in the split but with a mask", paths.keys() - listed),
    ):
        if names:
            raise UserError(
                f"{len(names)} image{'s' if len(names) > 1 else ''} {what}: "
                f"{name_some(sorted(names))}; expected a mask of each image in {TEST_SPLIT}"
            )


def check_member(paths: tuple[Path, Path], *, num_indices: int) -> Member:
    """Reads a mask and checks what the server requires.

    Args:
        paths: Paths of the mask and of its image.
        num_indices: C, the number of classes with background.
    """
    path, image_path = paths
    png = path.read_bytes()
    return Member(path.stem, png, _problem(path, png, image_path, num_indices))


def _problem(path: Path, png: bytes, image_path: Path, num_indices: int) -> str | None:
    with Image.open(image_path, formats=FORMATS) as image:
        size = image.size
    try:
        mask = Image.open(io.BytesIO(png), formats=("PNG",))
        mask.load()
    except (OSError, SyntaxError, ValueError) as error:
        return f"{path} cannot be decoded ({error})"
    if (mask.format, mask.mode) != ("PNG", "P"):
        return f"{path} is {mask.format} of mode {mask.mode}"
    if mask.size != size:
        of_mask, of_image = ("x".join(map(str, pair)) for pair in (mask.size, size))
        return f"{path} is {of_mask} for an image of {of_image}"
    if mask.getpalette() != voc_palette().ravel().tolist():
        return f"{path} has other colours than VOC's"
    highest = int(np.asarray(mask).max())
    return f"{path} has index {highest} of {num_indices}" if highest >= num_indices else None
