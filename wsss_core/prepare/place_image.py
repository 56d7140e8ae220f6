"""Checks one image and its mask, and places them in the prepared dataset, upright and in RGB."""

from __future__ import annotations

import errno
import os
import shutil
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from wsss_core.data.images import IGNORE_INDEX, write_mask
from wsss_core.data.pictures import (
    FORMAT_NAMES,
    TURN_UPRIGHT,
    BadPictureError,
    Picture,
    read_picture,
)
from wsss_core.prepare.labelling import MaskDrawing
from wsss_core.prepare.read_mask_file import BadFileError, read_mask_file
from wsss_core.runtime.file_digest import file_digest

EXPECTED = {
    "image file": f"whole {FORMAT_NAMES} files",
    "mask file": "whole PNG or TIFF files with one class index per pixel",
    "mask drawing": "polygons or run lengths of the size of the image",
    "SBD mask": "MAT files with a uint8 matrix GTcls.Segmentation",
    "mask size": "masks of the size of their images",
    "mask rotation": "photographs that are saved upright, without EXIF's rotation",
    "mask index": "0 to the number of classes, or 255 for ignored pixels",
}
# Errors of file systems without symbolic links: exFAT, network shares of Windows.
NO_LINKS = (errno.EPERM, errno.EACCES, errno.ENOSYS, errno.ENOTSUP, errno.EINVAL, errno.EOPNOTSUPP)
JPEG_QUALITY = 95  # of shrunk images; as PNG they would take five times the space


@dataclass(frozen=True)
class Item:
    """An image of the source, and its mask if it has one."""

    image_id: str
    image: Path
    mask: Path | MaskDrawing | None


@dataclass(frozen=True)
class Placing:
    """How images and masks are placed.

    Attributes:
        staging: Directory with images/ and masks/ to write to; None: images are only checked.
        output: The final path of the staging directory.
        new_index: uint8 [C], the new class index for each index in a mask, background first.
        objects_at_255: Whether 255 marks the only class, instead of ignored pixels.
        link: Whether to link unchanged files; otherwise they are moved.
        longest_side: Images with a longer side are shrunk to this, with their masks; None: never.
    """

    staging: Path | None
    output: Path
    new_index: NDArray[np.uint8]
    objects_at_255: bool = False
    link: bool = True
    longest_side: int | None = None


@dataclass(frozen=True)
class Prepared:
    """The outcome for one item: the digests of the prepared files, or its problem.

    Attributes:
        image_id: The image.
        image_digest: sha256 of the prepared image file, in hex; empty if it is only checked.
        mask_digest: sha256 of the prepared mask file, in hex; None without one.
        size: Width and height of the upright image before any shrinking.
        format: Format of the image file, and whether its grey values were scaled.
        shown: Class indices in the mask, with 255 if pixels are ignored; None without a mask.
        problem: Kind (a key of EXPECTED) and details; None if there is no problem.
    """

    image_id: str
    image_digest: str = ""
    mask_digest: str | None = None
    size: tuple[int, int] = (0, 0)
    format: str = ""
    shown: frozenset[int] | None = None
    problem: tuple[str, str] | None = None


def prepare_item(item: Item, *, placing: Placing) -> Prepared:
    """Decodes, checks and places one image and its mask."""
    try:
        picture, image = _read_image(item.image)
        size = shrunk_size(image.size, placing.longest_side)
        stored = read_mask_file(item.mask, image_id=item.image_id) if item.mask else None
        mask = None if stored is None else fit_mask(item, stored.indices, picture, placing)
        prepared = Prepared(
            item.image_id,
            size=image.size,
            format=f"{picture.format}, greys scaled" if picture.is_deep else picture.format,
            shown=None if mask is None else frozenset(np.unique(mask).tolist()),
        )
        if placing.staging is None:
            return prepared
        digest = place_image(item, picture, image, size, placing=placing)
        if mask is None or stored is None:
            return replace(prepared, image_digest=digest)
        may_link = stored.is_plain and size == image.size and np.array_equal(stored.indices, mask)
        mask_digest = place_mask(item, mask, size, placing=placing, may_link=may_link)
        return replace(prepared, image_digest=digest, mask_digest=mask_digest)
    except BadFileError as error:
        kind, details = error.args
        return Prepared(item.image_id, problem=(kind, details))


def _read_image(path: Path) -> tuple[Picture, Image.Image]:
    """Reads the picture as stored, and the same picture upright and in RGB."""
    try:
        picture = read_picture(path)
        return picture, picture.rgb()
    except BadPictureError as error:
        raise BadFileError("image file", f"{path} {error}") from None


def shrunk_size(size: tuple[int, int], longest_side: int | None) -> tuple[int, int]:
    """Returns the width and height after shrinking to a longer side of `longest_side` at most."""
    factor = (longest_side or max(size)) / max(size)
    width, height = (max(1, round(factor * side)) for side in size)
    return size if factor >= 1 else (width, height)


def place_image(
    item: Item, picture: Picture, image: Image.Image, size: tuple[int, int], *, placing: Placing
) -> str:
    """Places an image as an upright RGB file, <id>.jpg or <id>.png.

    Args:
        item: The image's source.
        picture: The decoded picture.
        image: The same picture, upright and in RGB.
        size: Width and height of the placed image.
        placing: How and where to place it.

    Returns:
        sha256 of the placed file, in hex.
    """
    assert placing.staging is not None
    directory = placing.staging / "images"
    if image.size != size:
        shrunk = directory / f"{item.image_id}.jpg"
        image.resize(size, Image.Resampling.BOX).save(
            shrunk, format="JPEG", quality=JPEG_QUALITY, subsampling=0
        )
        return file_digest(shrunk)
    suffix = {"JPEG": ".jpg", "MPO": ".jpg", "PNG": ".png"}.get(picture.format)
    is_plain = picture.image.mode == "RGB" and picture.orientation == 1 and picture.is_intact
    if suffix and is_plain:
        return _place_file(item.image, "images", f"{item.image_id}{suffix}", placing)
    # As PNG: a second JPEG compression would change pixels without need.
    rewritten = directory / f"{item.image_id}.png"
    Image.fromarray(np.asarray(image)).save(rewritten, format="PNG")  # without the metadata
    return file_digest(rewritten)


def fit_mask(
    item: Item, mask: NDArray[np.uint8], picture: Picture, placing: Placing
) -> NDArray[np.uint8]:
    """Turns a mask upright and converts its indices to those of the chosen classes.

    A mask with the size of the upright image is used as it is. A mask with the size of the stored
    image, before the rotation by EXIF, is rotated in the same way.

    Args:
        item: The image that the mask belongs to.
        mask: uint8 [H, W], as stored.
        picture: Its image.
        placing: The new indices.

    Returns:
        uint8 [H, W] class indices, 255 ignored.
    """
    what = f"{item.mask}" if isinstance(item.mask, Path) else f"that of {item.image_id}"
    size = mask.shape[::-1]
    if size not in (picture.image.size, picture.stored_size):
        of_mask, of_image = ("x".join(map(str, s)) for s in (size, picture.image.size))
        raise BadFileError("mask size", f"{what} is {of_mask} for an image of {of_image}")
    if picture.orientation != 1 and size == picture.stored_size:
        turn = TURN_UPRIGHT[picture.orientation]
        turned = np.asarray(Image.fromarray(mask).transpose(turn))
        if size == picture.image.size and not np.array_equal(turned, mask):
            raise BadFileError(
                "mask rotation",
                f"{what} may belong to the stored or the upright picture: both have its size",
            )
        mask = turned
    table = np.full(256, IGNORE_INDEX, dtype=np.uint8)
    table[: len(placing.new_index)] = placing.new_index
    if placing.objects_at_255:
        table[IGNORE_INDEX] = 1
    outside = mask[(mask >= len(placing.new_index)) & (mask != IGNORE_INDEX)]
    if outside.size:
        num_classes = len(placing.new_index) - 1
        raise BadFileError(
            "mask index", f"{what} has {outside.max()}; there are {num_classes} classes"
        )
    return table[mask]


def place_mask(
    item: Item,
    mask: NDArray[np.uint8],
    size: tuple[int, int],
    *,
    placing: Placing,
    may_link: bool,
) -> str:
    """Places a mask as <id>.png.

    Args:
        item: The mask's source.
        mask: uint8 [H, W], from `fit_mask`.
        size: Width and height of the placed mask.
        placing: How and where to place it.
        may_link: Whether the source file has the same content, so that it can be linked.

    Returns:
        sha256 of the placed file, in hex.
    """
    assert placing.staging is not None
    name = f"{item.image_id}.png"
    if may_link and isinstance(item.mask, Path):
        return _place_file(item.mask, "masks", name, placing)
    if size != mask.shape[::-1]:
        mask = np.asarray(Image.fromarray(mask).resize(size, Image.Resampling.NEAREST))
    write_mask(placing.staging / "masks" / name, mask)
    return file_digest(placing.staging / "masks" / name)


def _place_file(source: Path, folder: str, name: str, placing: Placing) -> str:
    """Links or moves a file to the staging directory; returns its sha256 in hex.

    If the source and the dataset lie in the current folder, the link is relative. It then remains
    valid when the project's folder is moved.
    """
    assert placing.staging is not None
    digest = file_digest(source)
    target = placing.staging / folder / name
    if not placing.link:
        source.replace(target)
        return digest
    place, project = source.resolve(), Path.cwd().resolve()
    final = (placing.output / folder).resolve()
    is_inside = place.is_relative_to(project) and final.is_relative_to(project)
    try:
        target.symlink_to(os.path.relpath(place, final) if is_inside else place)
    except OSError as error:
        if error.errno not in NO_LINKS:
            raise
        shutil.copyfile(place, target)
    return digest
