import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from PIL import Image

from wsss_core.data.images import read_image, read_mask, voc_palette, write_mask
from wsss_core.runtime.errors import UserError

RED, BLUE = (200, 30, 30), (30, 30, 200)


def stored_photo() -> Image.Image:
    """Red on the left, blue on the right, 32 x 16 pixels."""
    pixels = np.zeros((16, 32, 3), dtype=np.uint8)
    pixels[:, :16], pixels[:, 16:] = RED, BLUE
    return Image.fromarray(pixels)


def test_exif_rotation_is_applied(tmp_path):
    photo = stored_photo()
    photo.getexif()[0x0112] = 6  # stored lying: the top is the left side of the stored file
    photo.save(tmp_path / "x.jpg", exif=photo.getexif(), quality=95)
    image = read_image(tmp_path / "x.jpg")
    assert image.shape == (32, 16, 3)
    np.testing.assert_allclose(image[2, 8], RED, atol=6)
    np.testing.assert_allclose(image[29, 8], BLUE, atol=6)


@pytest.mark.parametrize("mode", ["L", "CMYK", "P", "RGBA", "1"])
def test_other_modes_become_rgb(tmp_path, mode):
    photo = stored_photo()
    path = tmp_path / ("x.jpg" if mode in ("L", "CMYK") else "x.png")
    photo.convert(mode).save(path)
    image = read_image(path)
    assert image.shape == (16, 32, 3)
    assert image.dtype == np.uint8
    if mode == "CMYK":
        np.testing.assert_allclose(image[8, 4], RED, atol=6)
    if mode == "L":
        assert np.ptp(image, axis=2).max() == 0


def test_sixteen_bit_grey_keeps_its_upper_bits(tmp_path):
    Image.fromarray(np.full((4, 4), 0x80FF, dtype=np.uint16)).save(tmp_path / "x.png")
    assert (read_image(tmp_path / "x.png") == 0x80).all()


@given(mask=arrays(np.uint8, st.tuples(st.integers(1, 9), st.integers(1, 9))))
def test_mask_round_trip(tmp_path_factory, mask):
    path = tmp_path_factory.mktemp("mask") / "m.png"
    write_mask(path, mask)
    np.testing.assert_array_equal(read_mask(path), mask)


@pytest.mark.parametrize("mode", ["L", "P", "1"])
def test_masks_of_other_writers(tmp_path, mode):
    values = np.array([[0, 1], [1, 0]], dtype=np.uint8)
    if mode == "1":
        Image.fromarray(values.astype(bool)).save(tmp_path / "m.png")
    else:
        image = Image.fromarray(values)
        if mode == "P":
            image = image.convert("P")
            image.putpalette([9, 9, 9, 0, 0, 0])
        image.save(tmp_path / "m.png")
    np.testing.assert_array_equal(read_mask(tmp_path / "m.png"), values)


def test_coloured_mask_is_refused(tmp_path):
    stored_photo().save(tmp_path / "m.png")
    with pytest.raises(UserError, match=r"m.png has Pillow mode RGB; expected a palette"):
        read_mask(tmp_path / "m.png")


def test_palette_is_that_of_voc(tmp_path):
    palette = voc_palette()
    known = {0: (0, 0, 0), 1: (128, 0, 0), 2: (0, 128, 0), 8: (64, 0, 0), 15: (192, 128, 128)}
    known |= {20: (0, 64, 128), 255: (224, 224, 192)}
    for index, colour in known.items():
        assert tuple(palette[index]) == colour
    assert len(np.unique(palette, axis=0)) == 256
    write_mask(tmp_path / "m.png", np.array([[15]], dtype=np.uint8))
    with Image.open(tmp_path / "m.png") as mask:
        assert mask.mode == "P"
        assert mask.convert("RGB").getpixel((0, 0)) == known[15]
