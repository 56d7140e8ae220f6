"""Reads images, upright and in RGB, and masks as class indices. Writes masks."""

from __future__ import annotations

import hashlib
import io
import struct
import zlib
from collections.abc import Mapping
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image
from PIL.PngImagePlugin import PngInfo

from wsss_core.data.pictures import PNG_SIGNATURE, BadPictureError, decode_picture
from wsss_core.runtime.errors import UserError

IGNORE_INDEX = 255  # mask value of pixels whose class is unknown or does not count
BAD_CHECKSUM = "is damaged: its checksums differ"
# Bit depth and colour type in the PNG header: grey of 2 and 4 bits.
LOW_GREYS = (b"\x02\x00", b"\x04\x00")
MASK_MODES = ("1", "L", "P")  # Pillow modes whose pixels are small integers


def read_image(path: Path, *, sha256: str | None = None) -> NDArray[np.uint8]:
    """Reads an image as a viewer would show it.

    Args:
        path: A file of any of `pictures.FORMATS`. Grey, palette and CMYK images are converted, and
            EXIF rotation is applied.
        sha256: SHA-256 that the file must have, in hex; None: not checked.

    Returns:
        uint8 [H, W, 3], RGB.

    Raises:
        UserError: The file is missing, has another SHA-256, is no image or is incomplete.
    """
    data = _read_bytes(path, sha256, what="a picture")
    try:
        return np.array(decode_picture(data).rgb())
    except BadPictureError as error:
        raise UserError(f"{path}: {error}") from None


def read_mask(path: Path, *, sha256: str | None = None) -> NDArray[np.uint8]:
    """Reads a mask: the class index of each pixel.

    Args:
        path: A palette, 8-bit grey or 1-bit PNG file.
        sha256: SHA-256 that the file must have, in hex; None: only PNG's own checksums are checked.

    Returns:
        uint8 [H, W]: 0 background, k the k-th class, 255 ignored.

    Raises:
        UserError: The file is missing or damaged, or holds colours instead of indices.
    """
    with _open_png(path, sha256) as mask:
        if mask.mode not in MASK_MODES:
            raise UserError(
                f"{path} has Pillow mode {mask.mode}; expected a palette or 8-bit grey PNG "
                "with one class index per pixel"
            )
        return np.array(mask).astype(np.uint8)


def read_mask_notes(path: Path) -> dict[str, str]:
    """Reads the notes that `write_mask` stored in a mask file, by keyword.

    Raises:
        UserError: The mask is missing or damaged.
    """
    with _open_png(path, None) as mask:
        return {str(keyword): str(text) for keyword, text in mask.info.items()}


def _read_bytes(path: Path, sha256: str | None, *, what: str) -> bytes:
    try:
        data = path.read_bytes()
    except OSError as error:
        raise UserError(f"{path}: {error.strerror}; expected {what}") from None
    if sha256 is not None and hashlib.sha256(data).hexdigest() != sha256:
        raise UserError(
            f"{path}: was changed after the dataset was prepared; expected a file of sha256 "
            f"{sha256}"
        )
    return data


def _open_png(path: Path, sha256: str | None) -> Image.Image:
    """Opens a PNG file after checking that none of it has changed or is missing."""
    data = _read_bytes(path, sha256, what="a PNG file")
    if sha256 is None and (fault := png_fault(data)) is not None:
        raise UserError(f"{path}: {fault}; expected a whole PNG file")
    if data[24:26] in LOW_GREYS:
        raise UserError(f"{path}: has greys of {data[24]} bits, which Pillow stretches; expected 8")
    try:
        image = Image.open(io.BytesIO(data), formats=("PNG",))
        image.load()
    except Exception as error:  # Pillow can raise anything for a damaged file
        reason = " ".join(str(error).split())
        raise UserError(f"{path}: cannot be decoded ({reason}); expected a PNG file") from None
    return image


def png_fault(data: bytes) -> str | None:
    """Compares each chunk of a PNG file with its checksum, which Pillow does not do.

    Args:
        data: The content of the file.

    Returns:
        What is wrong, in a few words; None: nothing is wrong.
    """
    if not data.startswith(PNG_SIGNATURE):
        return "is no PNG" if data else "is empty (0 bytes)"
    start, kind = len(PNG_SIGNATURE), b""
    try:
        while kind != b"IEND":
            (length,) = struct.unpack_from(">I", data, start)
            kind = data[start + 4 : start + 8]
            (noted,) = struct.unpack_from(">I", data, start + 8 + length)
            if zlib.crc32(data[start + 4 : start + 8 + length]) != noted:
                return BAD_CHECKSUM
            start += length + 12
    except struct.error:
        return "ends early"
    return None


def write_mask(
    path: Path, mask: NDArray[np.uint8], *, notes: Mapping[str, str] | None = None
) -> None:
    """Writes a mask as a palette PNG in the colours of PASCAL VOC.

    Args:
        path: The PNG file to write.
        mask: uint8 [H, W] class indices, 255 ignored.
        notes: ASCII texts by keyword, stored in the file as tEXt chunks.
    """
    assert mask.dtype == np.uint8, f"{mask.dtype}; expected uint8"
    assert mask.ndim == 2, f"{mask.shape}; expected [H, W]"
    image = Image.fromarray(mask).convert("P")
    image.putpalette(voc_palette().tobytes())
    texts = PngInfo()
    for keyword, text in (notes or {}).items():
        texts.add_text(keyword, text)
    image.save(path, format="PNG", pnginfo=texts)


def voc_palette() -> NDArray[np.uint8]:
    """Builds the palette of PASCAL VOC (VOCdevkit, VOClabelcolormap.m).

    The bits of an index go to R, G and B in turn, starting with the highest bit of each colour.

    Returns:
        uint8 [256, 3]: black for 0, cream for 255.
    """
    index = np.arange(256)
    palette = np.zeros((256, 3), dtype=np.uint8)
    for bit in range(8):
        for channel in range(3):
            palette[:, channel] |= ((index >> channel & 1) << (7 - bit)).astype(np.uint8)
        index >>= 3
    return palette
