"""Checking one image and its mask, and placing them in the prepared dataset: upright, in RGB."""

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
# What systems say that make no links: exFAT, Windows' shares.
NO_LINKS = (errno.EPERM, errno.EACCES, errno.ENOSYS, errno.ENOTSUP, errno.EINVAL, errno.EOPNOTSUPP)
JPEG_QUALITY = 95  # of shrunk images; as PNG they would take five times the room


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
        staging: Directory with images/ and masks/ to write to; None: they are only checked.
        output: The directory that this one will become.
        new_index: uint8 [C], what each index in a mask becomes, background first.
        objects_at_255: Whether 255 is the one class there is, and not what is ignored.
        link: Whether to link unchanged files instead of moving them.
        longest_side: Larger images are shrunk to this, and masks with them; None: none is.
    """

    staging: Path | None
    output: Path
    new_index: NDArray[np.uint8]
    objects_at_255: bool = False
    link: bool = True
    longest_side: int | None = None


@dataclass(frozen=True)
class Prepared:
    """What became of an item: digests of the prepared files, or what is wrong with it.

    Attributes:
        image_id: Which one.
        image_digest: sha256 of the prepared image file, in hex; empty where it is only checked.
        mask_digest: The same of its mask; None without one.
        size: Width and height of the image as it came, upright.
        format: Of the file, and whether its greys were scaled.
        shown: Class indices in the mask, and 255 where pixels are ignored; None without a mask.
        problem: Kind (a key of EXPECTED) and details; None if all is well.
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
    """The picture as it is in the file, and in RGB."""
    try:
        picture = read_picture(path)
        return picture, picture.rgb()
    except BadPictureError as error:
        raise BadFileError("image file", f"{path} {error}") from None


def shrunk_size(size: tuple[int, int], longest_side: int | None) -> tuple[int, int]:
    """Width and height of an image whose longer side may be `longest_side` at most."""
    factor = (longest_side or max(size)) / max(size)
    width, height = (max(1, round(factor * side)) for side in size)
    return size if factor >= 1 else (width, height)


def place_image(
    item: Item, picture: Picture, image: Image.Image, size: tuple[int, int], *, placing: Placing
) -> str:
    """Places an image as an upright RGB file, <id>.jpg or <id>.png.

    Args:
        item: Where it comes from.
        picture: The same, decoded.
        image: The same, upright and in RGB.
        size: Width and height that it gets.
        placing: Where it goes.

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
    # PNG, since a second JPEG compression would change pixels that no one asked to change.
    rewritten = directory / f"{item.image_id}.png"
    Image.fromarray(np.asarray(image)).save(rewritten, format="PNG")  # without the metadata
    return file_digest(rewritten)


def fit_mask(
    item: Item, mask: NDArray[np.uint8], picture: Picture, placing: Placing
) -> NDArray[np.uint8]:
    """Makes a mask fit its upright image, with the indices of the chosen classes.

    A mask of the size of the upright image is taken as it is, one of the size of the stored,
    not yet rotated image is turned along with it.

    Args:
        item: Whose mask it is.
        mask: uint8 [H, W], as it is stored.
        picture: Its image.
        placing: What becomes of indices.

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
                f"{what} may be of the stored pixels or of the upright picture, whose sizes agree",
            )
        mask = turned
    table = np.full(256, IGNORE_INDEX, dtype=np.uint8)
    table[: len(placing.new_index)] = placing.new_index
    if placing.objects_at_255:
        table[IGNORE_INDEX] = 1
    outside = mask[(mask >= len(placing.new_index)) & (mask != IGNORE_INDEX)]
    if outside.size:
        num_classes = len(placing.new_index) - 1
        raise BadFileError("mask index", f"{what} has {outside.max()} of {num_classes} classes")
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
        item: Where it comes from.
        mask: uint8 [H, W], as `fit_mask` gives it.
        size: Width and height that it gets.
        placing: Where it goes.
        may_link: Whether the file that it comes from is the same, so that it may stand for it.

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
    """Links a file, by a path that stays right when the project's folder moves, or moves it."""
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
