"""Tests of the reading of pictures from any source."""

import io
import random
import struct
import zlib

import numpy as np
import pytest
from PIL import Image, ImageOps, PngImagePlugin

from wsss_core.data.images import read_image
from wsss_core.data.pictures import BadPictureError, read_picture, scale_by_range
from wsss_core.runtime.errors import UserError

PHOTO = np.zeros((16, 32, 3), dtype=np.uint8)
PHOTO[:, :16], PHOTO[:, 16:] = (200, 30, 30), (30, 30, 200)
RAMP = np.tile(np.arange(256), (64, 1))


def stored(picture_format: str, **options) -> bytes:
    file = io.BytesIO()
    Image.fromarray(PHOTO).save(file, format=picture_format, **options)
    return file.getvalue()


@pytest.mark.parametrize("name", ["x.jpg", "x.PNG", "x", "x.tiff"])
@pytest.mark.parametrize(
    "picture_format", ["JPEG", "PNG", "WEBP", "TIFF", "BMP", "GIF", "AVIF", "HEIF", "MPO"]
)
def test_formats_are_told_by_content(tmp_path, picture_format, name):
    (tmp_path / name).write_bytes(stored(picture_format))
    picture = read_picture(tmp_path / name)
    assert picture.format == picture_format or {picture.format, picture_format} == {"JPEG", "MPO"}
    assert picture.is_intact
    np.testing.assert_allclose(np.asarray(picture.rgb())[:, 4], (16 * [(200, 30, 30)]), atol=20)


# HEIF has its rotation outside of EXIF, and its reader turns it.
@pytest.mark.parametrize("picture_format", ["JPEG", "PNG", "WEBP", "TIFF", "AVIF", "MPO"])
@pytest.mark.parametrize("orientation", range(1, 9))
def test_every_format_is_turned_as_its_metadata_says(tmp_path, picture_format, orientation):
    exif = Image.Exif()
    exif[0x0112] = orientation
    turned = Image.fromarray(PHOTO)
    turned.getexif()[0x0112] = orientation
    upright = np.asarray(ImageOps.exif_transpose(turned)).astype(int)
    (tmp_path / "x").write_bytes(stored(picture_format, exif=exif))
    image = read_image(tmp_path / "x")
    assert image.shape == upright.shape
    assert np.abs(image - upright).mean() < 12
    assert read_picture(tmp_path / "x").stored_size == (32, 16)


@pytest.mark.parametrize("first_frame", ["GIF", "WEBP", "PNG", "TIFF"])
def test_of_moving_pictures_the_first_is_read(tmp_path, first_frame):
    other = Image.new("RGB", (32, 16), "green")
    (tmp_path / "x").write_bytes(stored(first_frame, save_all=True, append_images=[other]))
    assert read_image(tmp_path / "x")[8, 4, 0] > 150


@pytest.mark.parametrize(
    ("values", "kind"),
    [
        (RAMP << 8, np.uint16),
        (RAMP << 4, np.uint16),
        (RAMP + 30_000, np.uint16),
        (RAMP * 256, np.int32),
        (RAMP - 128, np.int32),
        (RAMP / 255, np.float32),
        (RAMP / 255 - 40, np.float32),
        (RAMP * 1e6, np.float32),
    ],
)
def test_deep_greys_are_scaled_by_their_range(tmp_path, values, kind):
    Image.fromarray(values.astype(kind)).save(tmp_path / "x.tif")
    picture = read_picture(tmp_path / "x.tif")
    assert picture.is_deep
    image = read_image(tmp_path / "x.tif")
    assert (image == image[..., :1]).all()
    assert np.abs(image[..., 0].astype(int) - RAMP).max() <= 1


def test_scaling_by_hand():
    assert scale_by_range(np.array([[0, 100], [50, 25]])).tolist() == [[0, 255], [128, 64]]
    assert scale_by_range(np.array([[7.0, 7.0]])).tolist() == [[128, 128]]
    assert scale_by_range(np.array([[0.0, 1.0, np.nan, np.inf]])).tolist() == [[0, 255, 0, 255]]
    hot = np.arange(10_000.0)
    hot[5] = 1e9  # one broken cell leaves the rest as it is
    assert np.abs(scale_by_range(hot[None])[0, 20:].astype(int) - hot[20:] / 39.2).max() < 2
    with pytest.raises(BadPictureError, match="has no finite value"):
        scale_by_range(np.array([[np.nan]]))


def test_dark_sixteen_bit_colours_are_refused(tmp_path):
    def chunk(kind: bytes, content: bytes) -> bytes:
        checksum = zlib.crc32(kind + content)
        return struct.pack(">I", len(content)) + kind + content + struct.pack(">I", checksum)

    def write(values: np.ndarray) -> None:
        rows = b"".join(b"\0" + row.astype(">u2").tobytes() for row in values)
        header = struct.pack(">IIBBBBB", 64, 8, 16, 2, 0, 0, 0)
        parts = chunk(b"IHDR", header), chunk(b"IDAT", zlib.compress(rows)), chunk(b"IEND", b"")
        (tmp_path / "x.png").write_bytes(b"\x89PNG\r\n\x1a\n" + b"".join(parts))

    colours = np.random.default_rng(0).integers(0, 4096, (8, 64, 3))
    write(colours * 16)
    assert read_image(tmp_path / "x.png").max() > 200
    write(colours)
    with pytest.raises(UserError, match="16-bit colours that only use their dark end"):
        read_image(tmp_path / "x.png")


def bad_text() -> bytes:
    text = PngImagePlugin.PngInfo()
    text.add_text("Raw profile type exif", "\nexif\n  10\nzzzz")
    return stored("PNG", pnginfo=text)


def bad_checksum_of_text() -> bytes:
    text = PngImagePlugin.PngInfo()
    text.add_text("Comment", "hello")
    return stored("PNG", pnginfo=text).replace(b"hello", b"jello")


def bad_exif(picture_format: str) -> bytes:
    exif = b"Exif\0\0II*\0\xff\xff\xff\xff broken"
    return stored(picture_format, exif=exif)


@pytest.mark.parametrize(
    "data",
    [bad_text(), bad_checksum_of_text(), *map(bad_exif, ("JPEG", "PNG", "WEBP"))],
    ids=["text", "checksum", "jpeg", "png", "webp"],
)
def test_broken_metadata_costs_nothing(tmp_path, data):
    (tmp_path / "x").write_bytes(data)
    assert np.abs(read_image(tmp_path / "x").astype(int) - PHOTO).mean() < 6


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "is empty"),
        (b"<html>not found</html>", "is no JPEG, PNG, WebP, TIFF, BMP, GIF, AVIF or HEIC"),
        (b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\n", "is no JPEG"),
        (stored("JPEG")[:400], "cannot be decoded"),
        (stored("PNG")[:-40], "cannot be decoded"),
        (stored("WEBP", lossless=True)[:-20], "cannot be decoded"),
    ],
)
def test_what_is_no_whole_picture_is_told(tmp_path, content, message):
    (tmp_path / "x.png").write_bytes(content)
    with pytest.raises(UserError, match=message):
        read_image(tmp_path / "x.png")


@pytest.mark.parametrize("picture_format", ["JPEG", "PNG", "WEBP", "TIFF", "BMP", "GIF", "HEIF"])
def test_damaged_bytes_never_raise_anything_else(tmp_path, picture_format):
    data, draw = stored(picture_format), random.Random(0)
    for _ in range(300):
        damaged = bytearray(data)
        for _ in range(draw.randint(1, 4)):
            damaged[draw.randrange(len(damaged))] = draw.randrange(256)
        (tmp_path / "x").write_bytes(damaged[: draw.choice([None, draw.randrange(len(damaged))])])
        try:
            image = read_image(tmp_path / "x")
        except UserError as error:
            assert str(error)
            assert "\n" not in str(error)
        else:
            assert image.ndim == 3
