"""Pictures of any origin: opened by what is in the file, with all pixels, upright, in 8-bit RGB."""

from __future__ import annotations

import io
import struct
import warnings
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image, UnidentifiedImageError
from pillow_heif import register_heif_opener

register_heif_opener()

# Of what Pillow reads, the formats that pictures come in; MPO is opened as JPEG. Others, such as
# EPS, run programs.
FORMATS = ("JPEG", "PNG", "WEBP", "TIFF", "BMP", "GIF", "AVIF", "HEIF", "PPM")
FORMAT_NAMES = "JPEG, PNG, WebP, TIFF, BMP, GIF, AVIF or HEIC"
SUFFIXES = (
    *(".jpg", ".jpeg", ".jpe", ".jfif", ".mpo", ".png", ".webp", ".tif", ".tiff", ".bmp", ".gif"),
    *(".avif", ".heic", ".heif", ".ppm"),
)
ORIENTATION = 0x0112  # EXIF tag
TURN_UPRIGHT = {  # by orientation; 1 is upright
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}
DEEP_GREYS = ("I", "F")  # first letters of Pillow's modes with more than 8 bits
LOW_GREYS = {"L;2": 85, "L;4": 17}  # by stored mode, what Pillow makes of one step
TAILS = (0.1, 99.9)  # percentiles that become black and white: a broken sensor cell is no range
PNG_SIGNATURE = b"\x89PNG\r\n\x1a\n"
PNG_CHUNKS = (b"IHDR", b"PLTE", b"tRNS", b"IDAT", b"IEND")  # that pixels are made of
DARK = 32  # a 16-bit colour picture whose highest value is below this, in 8 bits, is not shown


class BadPictureError(Exception):
    """A file that is no whole picture: why not, without its name."""


@dataclass(frozen=True)
class Picture:
    """A decoded picture.

    Attributes:
        image: Upright, in the mode of the file.
        format: Pillow's name of its format.
        orientation: By which the stored pixels were turned, as EXIF counts; 1: not at all.
        is_intact: Whether nothing had to be left out of the file, so that every reader opens it.
        grey_step: What one step of the stored greys is in the image: Pillow stretches those of 2
            and 4 bits to 0..255.
    """

    image: Image.Image
    format: str
    orientation: int
    is_intact: bool
    grey_step: int = 1

    @property
    def stored_size(self) -> tuple[int, int]:
        """Width and height of the stored pixels, before they were turned."""
        width, height = self.image.size
        return (height, width) if self.orientation >= 5 else (width, height)

    @property
    def is_deep(self) -> bool:
        """Whether it is a grey picture of more than 8 bits, which `rgb` scales."""
        return self.image.mode.startswith(DEEP_GREYS)

    def rgb(self) -> Image.Image:
        """The picture in 8-bit RGB; transparency is dropped, deep greys are scaled by their range.

        Raises:
            BadPictureError: It holds no numbers, or colours that have no RGB.
        """
        if self.is_deep:
            return Image.fromarray(scale_by_range(np.asarray(self.image))).convert("RGB")
        try:
            return self.image.convert("RGB")
        except ValueError as error:
            raise BadPictureError(f"cannot become RGB ({error})") from None


def read_picture(path: Path) -> Picture:
    """Reads a file as a picture, whatever its name.

    Metadata that is broken costs nothing: it is left out.

    Raises:
        BadPictureError: It is no picture of a known format, or not a whole one.
    """
    try:
        data = path.read_bytes()
    except OSError as error:
        raise BadPictureError(f"cannot be read ({error.strerror})") from None
    return decode_picture(data)


def decode_picture(data: bytes) -> Picture:
    """The same of the bytes of a file."""
    if not data:
        raise BadPictureError("is empty (0 bytes)")
    try:
        return _decode(data, is_intact=True)
    except BadPictureError:
        pixels = _without_metadata(data)
        if pixels is None:
            raise
        return _decode(pixels, is_intact=False)


def _decode(data: bytes, *, is_intact: bool) -> Picture:
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of metadata; which file it is of they do not say
            image = Image.open(io.BytesIO(data), formats=FORMATS)
            picture_format, is_deep_colour = image.format or "", _is_deep_colour(image)
            grey_step = _grey_step(image)
            # Pillow turns TIFFs by itself as it loads them, and forgets that it did.
            of_tiff = _orientation(image) if picture_format == "TIFF" else None
            image.load()  # all of it: a truncated file shows only at its end
            orientation, has_exif = of_tiff or _orientation(image)
            if is_deep_colour and _highest(image) < DARK:
                raise BadPictureError("has 16-bit colours that only use their dark end")
            turn = None if of_tiff else TURN_UPRIGHT.get(orientation)
            upright = image if turn is None else image.transpose(turn)
    except BadPictureError:
        raise
    except UnidentifiedImageError:
        raise BadPictureError(f"is no {FORMAT_NAMES}") from None
    except Exception as error:  # Pillow reports damage by whatever its format plugins run into
        reason = " ".join(str(error).split()) or type(error).__name__
        raise BadPictureError(f"cannot be decoded ({reason})") from None
    is_intact = is_intact and has_exif
    return Picture(upright, picture_format, orientation, is_intact=is_intact, grey_step=grey_step)


def _orientation(image: Image.Image) -> tuple[int, bool]:
    """EXIF's orientation, and whether the metadata could be read."""
    try:
        orientation = image.getexif().get(ORIENTATION, 1)
    except Exception:  # whatever the readers of metadata run into
        return 1, False
    return (orientation, True) if orientation in TURN_UPRIGHT else (1, True)


def _is_deep_colour(image: Image.Image) -> bool:
    """Whether Pillow drops the lower bits of the colours."""
    return not image.mode.startswith(DEEP_GREYS) and ";16" in _stored_modes(image)


def _grey_step(image: Image.Image) -> int:
    """What one step of the stored greys becomes; they have 2 or 4 bits, or else it is 1."""
    modes = _stored_modes(image)
    return next(
        (step for mode, step in LOW_GREYS.items() if image.mode == "L" and mode in modes), 1
    )


def _stored_modes(image: Image.Image) -> str:
    """Pillow's names of how the pixels are stored, before they are decoded."""
    return " ".join(str(tile[3]) for tile in getattr(image, "tile", []))


def _highest(image: Image.Image) -> int:
    return max(high for _, high in np.atleast_2d(image.convert("RGB").getextrema()))


def scale_by_range(values: NDArray[np.generic]) -> NDArray[np.uint8]:
    """Brings greys of any type to 8 bits: their lowest becomes black, their highest white.

    Args:
        values: Integers or floats [H, W]; a thousandth at each end is cut off, NaN is black.

    Returns:
        uint8 [H, W]; all 128 where all values are the same.

    Raises:
        BadPictureError: No value is finite.
    """
    with np.errstate(invalid="ignore"):  # of damaged floats
        numbers = values.astype(np.float64)
    finite = numbers[np.isfinite(numbers)]
    if not finite.size:
        raise BadPictureError("has no finite value")
    low, high = np.percentile(finite, TAILS)
    if low == high:
        low, high = finite.min(), finite.max()
    if low == high:
        return np.full(values.shape, 128, dtype=np.uint8)
    scaled = np.nan_to_num((numbers - low) / (high - low), nan=0.0, posinf=1.0, neginf=0.0)
    return np.rint(255 * scaled.clip(0, 1)).astype(np.uint8)


def _without_metadata(data: bytes) -> bytes | None:
    """The same PNG or JPEG with its pixels alone; None if it is neither, or too short."""
    try:
        if data.startswith(PNG_SIGNATURE):
            return _png_pixels(data)
        return _jpeg_pixels(data) if data.startswith(b"\xff\xd8") else None
    except (struct.error, IndexError):
        return None


def _png_pixels(data: bytes) -> bytes:
    kept, start = [PNG_SIGNATURE], len(PNG_SIGNATURE)
    while start < len(data):
        (length,) = struct.unpack_from(">I", data, start)
        end = start + length + 12  # length, kind and checksum are 4 bytes each
        if data[start + 4 : start + 8] in PNG_CHUNKS:
            kept.append(data[start:end])
        start = end
    return b"".join(kept)


def _jpeg_pixels(data: bytes) -> bytes:
    """Leaves out the application's segments and comments before the scan.

    But for JFIF's and Adobe's, which say what the colours are.
    """
    kept, start = [data[:2]], 2
    while data[start + 1] != 0xDA:  # start of scan
        (length,) = struct.unpack_from(">H", data, start + 2)
        end = start + 2 + length
        marker = data[start + 1]
        if not (0xE1 <= marker <= 0xEF or marker == 0xFE) or marker == 0xEE:
            kept.append(data[start:end])
        start = end
    return b"".join([*kept, data[start:]])
