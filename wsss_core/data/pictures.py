"""Decodes picture files of any origin to upright 8-bit RGB. The content decides the format."""

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

# The formats that may be opened; MPO is opened as JPEG. Pillow runs programs for some others, such
# as EPS.
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
DEEP_GREYS = ("I", "F")  # first letters of Pillow's grey modes with more than 8 bits
LOW_GREYS = {"L;2": 85, "L;4": 17}  # by stored mode: grey values of Pillow per stored value
# Percentiles that become black and white, so that single broken pixels do not set the range.
TAILS = (0.1, 99.9)
PNG_SIGNATURE = b"\x89PNG\r\n\x1a\n"
PNG_CHUNKS = (b"IHDR", b"PLTE", b"tRNS", b"IDAT", b"IEND")  # the chunks that pixels need
DARK = 32  # 16-bit colour pictures are refused if their highest 8-bit value is below this


class BadPictureError(Exception):
    """A file is not a complete picture. The text says why, without the file name."""


@dataclass(frozen=True)
class Picture:
    """A decoded picture.

    Attributes:
        image: The upright picture, in the mode of the file.
        format: Pillow's name of the file format.
        orientation: EXIF orientation by which the stored pixels were turned; 1: not turned.
        is_intact: False if the metadata is broken, so that other programs may refuse the file.
        grey_step: Grey values in `image` per stored value: Pillow stretches grey of 2 and 4 bits to
            0..255.
    """

    image: Image.Image
    format: str
    orientation: int
    is_intact: bool
    grey_step: int = 1

    @property
    def stored_size(self) -> tuple[int, int]:
        """Width and height of the stored pixels, before they were turned upright."""
        width, height = self.image.size
        return (height, width) if self.orientation >= 5 else (width, height)

    @property
    def is_deep(self) -> bool:
        """Whether this is a grey picture with more than 8 bits, which `rgb` scales."""
        return self.image.mode.startswith(DEEP_GREYS)

    def rgb(self) -> Image.Image:
        """Converts to 8-bit RGB: drops transparency, and scales deep greys by their range.

        Raises:
            BadPictureError: No value is finite, or the colours cannot be converted to RGB.
        """
        if self.is_deep:
            return Image.fromarray(scale_by_range(np.asarray(self.image))).convert("RGB")
        try:
            return self.image.convert("RGB")
        except ValueError as error:
            raise BadPictureError(f"cannot become RGB ({error})") from None


def read_picture(path: Path) -> Picture:
    """Reads a picture file. The file name does not matter. Broken metadata is ignored.

    Raises:
        BadPictureError: The file is not a picture of a known format, or it is incomplete.
    """
    try:
        data = path.read_bytes()
    except OSError as error:
        raise BadPictureError(f"cannot be read ({error.strerror})") from None
    return decode_picture(data)


def decode_picture(data: bytes) -> Picture:
    """Decodes the bytes of a picture file, as `read_picture` does."""
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
            warnings.simplefilter("ignore")  # about metadata; they do not name the file
            image = Image.open(io.BytesIO(data), formats=FORMATS)
            picture_format, is_deep_colour = image.format or "", _is_deep_colour(image)
            grey_step = _grey_step(image)
            # Pillow turns a TIFF upright while loading and then drops its orientation.
            of_tiff = _orientation(image) if picture_format == "TIFF" else None
            image.load()  # decodes all pixels, so a truncated file is noticed
            orientation, has_exif = of_tiff or _orientation(image)
            if is_deep_colour and _highest(image) < DARK:
                raise BadPictureError("has 16-bit colours that only use their dark end")
            turn = None if of_tiff else TURN_UPRIGHT.get(orientation)
            upright = image if turn is None else image.transpose(turn)
    except BadPictureError:
        raise
    except UnidentifiedImageError:
        raise BadPictureError(f"is no {FORMAT_NAMES}") from None
    except Exception as error:  # the format plugins can raise anything for a damaged file
        reason = " ".join(str(error).split()) or type(error).__name__
        raise BadPictureError(f"cannot be decoded ({reason})") from None
    is_intact = is_intact and has_exif
    return Picture(upright, picture_format, orientation, is_intact=is_intact, grey_step=grey_step)


def _orientation(image: Image.Image) -> tuple[int, bool]:
    """Returns the EXIF orientation, and whether the metadata could be read."""
    try:
        orientation = image.getexif().get(ORIENTATION, 1)
    except Exception:  # broken metadata can raise anything
        return 1, False
    return (orientation, True) if orientation in TURN_UPRIGHT else (1, True)


def _is_deep_colour(image: Image.Image) -> bool:
    """Says whether the file has 16-bit colours, whose lower 8 bits Pillow drops."""
    return not image.mode.startswith(DEEP_GREYS) and ";16" in _stored_modes(image)


def _grey_step(image: Image.Image) -> int:
    """Returns `Picture.grey_step`: above 1 only for stored grey of 2 or 4 bits."""
    modes = _stored_modes(image)
    return next(
        (step for mode, step in LOW_GREYS.items() if image.mode == "L" and mode in modes), 1
    )


def _stored_modes(image: Image.Image) -> str:
    """Returns Pillow's names of the modes in which the pixels are stored in the file."""
    return " ".join(str(tile[3]) for tile in getattr(image, "tile", []))


def _highest(image: Image.Image) -> int:
    return max(high for _, high in np.atleast_2d(image.convert("RGB").getextrema()))


def scale_by_range(values: NDArray[np.generic]) -> NDArray[np.uint8]:
    """Scales grey values of any type to 8 bits: the lowest becomes black, the highest white.

    Args:
        values: Integers or floats [H, W]. The lowest and highest 0.1 % are clipped; NaN is black.

    Returns:
        uint8 [H, W]; all 128 if all values are equal.

    Raises:
        BadPictureError: No value is finite.
    """
    with np.errstate(invalid="ignore"):  # damaged files may have invalid floats
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
    """Removes the metadata of a PNG or JPEG file; None if it is neither, or too short."""
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
    """Removes application segments and comments of a JPEG file.

    Keeps those of JFIF and Adobe, since they define the colours.
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
