"""Checking one image and its mask, and placing them in the prepared dataset: upright, in RGB."""

from __future__ import annotations

import hashlib
import io
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageOps, UnidentifiedImageError

from wsss_core.data.images import IGNORE_INDEX, MASK_MODES, upright_rgb, write_mask
from wsss_core.prepare.voc.sbd import read_sbd_mask

EXIF_ORIENTATION = 0x0112
EXPECTED = {
    "image file": "whole JPEG or PNG files",
    "mask file": "whole PNG files with one class index per pixel",
    "SBD mask": "MAT files with a uint8 matrix GTcls.Segmentation",
    "mask size": "masks of the size of their images",
    "mask index": "0 to the number of classes, or 255 for ignored pixels",
}


@dataclass(frozen=True)
class Item:
    """An image of the source, and its mask if it has one."""

    image_id: str
    image: Path
    mask: Path | None


@dataclass(frozen=True)
class Prepared:
    """What became of an item: digests of the prepared files, or what is wrong with it.

    Attributes:
        image_id: Which one.
        image_digest: sha256 of the prepared image file, in hex.
        mask_digest: The same of its mask; None without one.
        problem: Kind (a key of EXPECTED) and details; None if all is well.
    """

    image_id: str
    image_digest: str = ""
    mask_digest: str | None = None
    problem: tuple[str, str] | None = None


class BadFileError(Exception):
    """A source file that cannot be used: its kind of problem (a key of EXPECTED), and details."""


def prepare_item(item: Item, *, output: Path, new_index: NDArray[np.uint8], link: bool) -> Prepared:
    """Decodes, checks and places one image and its mask.

    Args:
        item: The files.
        output: Directory with images/ and masks/.
        new_index: uint8 [C], what each index in the mask becomes, background first.
        link: Link unchanged files instead of moving them.
    """
    try:
        image = _decode(item.image, kind="image file")
        image_digest = place_image(item, image, output / "images", link=link)
        if item.mask is None:
            return Prepared(item.image_id, image_digest)
        mask_digest = place_mask(item.mask, image, output / "masks", new_index=new_index, link=link)
        return Prepared(item.image_id, image_digest, mask_digest)
    except BadFileError as error:
        kind, details = error.args
        return Prepared(item.image_id, problem=(kind, details))


def place_image(item: Item, image: Image.Image, directory: Path, *, link: bool) -> str:
    """Places an image as an upright RGB file.

    Args:
        item: Where it comes from.
        image: The same, decoded.
        directory: Where to put <id>.jpg or <id>.png.
        link: Link it if it needs no change; otherwise move it.

    Returns:
        sha256 of the placed file, in hex.
    """
    suffix = {"JPEG": ".jpg", "MPO": ".jpg", "PNG": ".png"}.get(image.format or "")
    if image.mode == "RGB" and suffix and image.getexif().get(EXIF_ORIENTATION, 1) == 1:
        return _place_file(item.image, directory / f"{item.image_id}{suffix}", link=link)
    # PNG, since a second JPEG compression would change pixels that no one asked to change.
    rewritten = directory / f"{item.image_id}.png"
    upright = Image.fromarray(np.asarray(upright_rgb(image)))  # without the metadata
    upright.save(rewritten, format="PNG")
    return _sha256(rewritten)


def place_mask(
    path: Path, image: Image.Image, directory: Path, *, new_index: NDArray[np.uint8], link: bool
) -> str:
    """Places a mask so that it fits its upright image.

    A mask of the size of the upright image is taken as it is, one of the size of the stored,
    not yet rotated image is turned along with it.

    Args:
        path: The mask, a PNG, or a MAT file of SBD.
        image: Its image, decoded, not yet rotated.
        directory: Where to put <id>.png.
        new_index: uint8 [C], what each index in the mask becomes, background first; 255 stays.
        link: Link it if it needs no change; otherwise move it.

    Returns:
        sha256 of the placed file, in hex.
    """
    mask = _decode_mask(path)
    upright_size = ImageOps.exif_transpose(image).size
    if mask.size not in (upright_size, image.size):
        of_mask, of_image = ("x".join(map(str, size)) for size in (mask.size, upright_size))
        raise BadFileError("mask size", f"{path} is {of_mask} for an image of {of_image}")
    indices = np.array(mask).astype(np.uint8)
    outside = indices[(indices >= len(new_index)) & (indices != IGNORE_INDEX)]
    if outside.size:
        raise BadFileError(
            "mask index", f"{path} has {outside.max()} of {len(new_index) - 1} classes"
        )
    placed = directory / f"{path.stem}.png"
    keeps_indices = np.array_equal(new_index, np.arange(len(new_index)))
    if mask.size == upright_size and keeps_indices and mask.format == "PNG":
        return _place_file(path, placed, link=link)
    table = np.full(256, IGNORE_INDEX, dtype=np.uint8)
    table[: len(new_index)] = new_index
    changed = Image.fromarray(table[indices])
    if mask.size != upright_size:
        changed.getexif()[EXIF_ORIENTATION] = image.getexif()[EXIF_ORIENTATION]
    write_mask(placed, np.array(ImageOps.exif_transpose(changed)))
    return _sha256(placed)


def _decode_mask(path: Path) -> Image.Image:
    if path.suffix == ".mat":
        try:
            return Image.fromarray(read_sbd_mask(path))
        except ValueError as error:
            raise BadFileError("SBD mask", f"{path} {error}") from None
    mask = _decode(path, kind="mask file")
    if mask.mode not in MASK_MODES or mask.format != "PNG":
        raise BadFileError("mask file", f"{path} is {mask.format} of mode {mask.mode}")
    return mask


def _decode(path: Path, *, kind: str) -> Image.Image:
    """Decodes all of a file: a truncated one shows only at its end."""
    data = path.read_bytes()
    if not data:
        raise BadFileError(kind, f"{path} is empty (0 bytes)")
    try:
        image = Image.open(io.BytesIO(data))
        image.load()
    except UnidentifiedImageError:
        raise BadFileError(kind, f"{path} is not an image") from None
    # Pillow reports damage by whatever its format plugins run into.
    except (OSError, SyntaxError, ValueError, Image.DecompressionBombError) as error:
        raise BadFileError(kind, f"{path} cannot be decoded ({error})") from None
    return image


def _place_file(source: Path, target: Path, *, link: bool) -> str:
    digest = _sha256(source)
    if link:
        target.symlink_to(source.resolve())
    else:
        source.replace(target)
    return digest


def _sha256(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()
