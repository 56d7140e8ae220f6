"""Tests of augmentation: an image and its mask are transformed in the same way."""

import math

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from wsss_core.config.training import ColorJitter
from wsss_core.data.transforms import (
    Geometry,
    apply_geometry,
    color_jitter,
    draw_geometry,
    image_tensor,
    resize,
)

NO_JITTER = ColorJitter(brightness=0, contrast=0, saturation=0, hue=0)
SIDES = st.integers(1, 40)


def noise(height: int, width: int) -> np.ndarray:
    return np.random.default_rng(0).integers(0, 256, (height, width, 3), dtype=np.uint8)


@given(seed=st.integers(0, 999), height=SIDES, width=SIDES, crop_size=st.integers(1, 40))
@settings(max_examples=100)
def test_a_crop_lies_in_the_image_or_the_image_in_the_crop(seed, height, width, crop_size):
    rng = np.random.default_rng(seed)
    geometry = draw_geometry(rng, height=height, width=width, crop_size=crop_size)
    assert (geometry.height, geometry.width) == (height, width)
    for offset, room in ((geometry.top, height - crop_size), (geometry.left, width - crop_size)):
        assert min(room, 0) <= offset <= max(room, 0)


def test_the_longer_side_takes_every_length_of_its_range():
    rng = np.random.default_rng(0)
    drawn = [
        draw_geometry(rng, height=30, width=60, crop_size=8, resize_long=(40, 44))
        for _ in range(200)
    ]
    assert {geometry.width for geometry in drawn} == {40, 41, 42, 43, 44}
    assert all(abs(geometry.height - geometry.width / 2) <= 0.5 for geometry in drawn)
    assert {geometry.flip for geometry in drawn} == {False, True}
    assert {geometry.top for geometry in drawn} == set(range(22 - 8 + 1))


def test_scales_are_drawn_from_their_range_and_flips_can_be_forbidden():
    rng = np.random.default_rng(0)
    drawn = [
        draw_geometry(rng, height=100, width=50, crop_size=8, scale=(0.5, 1.5), flip=False)
        for _ in range(200)
    ]
    heights = [geometry.height for geometry in drawn]
    assert 50 <= min(heights) < 55 and 145 < max(heights) <= 150
    assert not any(geometry.flip for geometry in drawn)


def test_the_generator_decides():
    first, again, other = (
        draw_geometry(
            np.random.default_rng(seed), height=50, width=60, crop_size=16, resize_long=(40, 90)
        )
        for seed in (1, 1, 2)
    )
    assert first == again != other


def test_crops_flips_and_pads_by_hand():
    array = np.array([[1, 2, 3], [4, 5, 6]], dtype=np.uint8)
    crop = apply_geometry(
        array,
        Geometry(height=2, width=3, flip=True, top=-1, left=1, crop_size=3),
        interpolation="nearest",
        fill=9,
    )
    assert crop.tolist() == [[9, 9, 9], [2, 1, 9], [5, 4, 9]]
    assert crop.dtype == np.uint8


@given(seed=st.integers(0, 999), height=SIDES, width=SIDES, crop_size=st.integers(1, 40))
@settings(max_examples=50)
def test_applies_as_a_plain_loop_does(seed, height, width, crop_size):
    geometry = draw_geometry(
        np.random.default_rng(seed), height=height, width=width, crop_size=crop_size
    )
    array = noise(height, width)
    expected = np.zeros((crop_size, crop_size, 3), dtype=np.uint8)
    for y, x in np.ndindex(crop_size, crop_size):
        row, column = y + geometry.top, x + geometry.left
        inside = 0 <= row < height and 0 <= column < width
        source = width - 1 - column if geometry.flip else column
        expected[y, x] = array[row, source] if inside else (1, 2, 3)
    crop = apply_geometry(array, geometry, interpolation="cubic", fill=(1, 2, 3))
    assert np.array_equal(crop, expected)


@given(seed=st.integers(0, 9999), height=st.integers(20, 60), width=st.integers(20, 60))
@settings(max_examples=60)
def test_image_and_mask_stay_together(seed, height, width):
    """A mask painted into an image is found there again, but where neighbours mix."""
    rng = np.random.default_rng(seed)
    mask = np.zeros((height, width), dtype=np.uint8)
    mask[height // 4 : height // 2, width // 5 : width // 2] = 1
    mask[height // 2 :, width // 2 :] = 2
    image = np.repeat(mask[..., None] * 100, 3, axis=2)
    geometry = draw_geometry(rng, height=height, width=width, crop_size=48, resize_long=(24, 90))
    image = apply_geometry(image, geometry, interpolation="cubic", fill=(250, 0, 250))
    mask = apply_geometry(mask, geometry, interpolation="nearest", fill=255)
    padding = mask == 255
    assert np.array_equal(padding, (image == (250, 0, 250)).all(axis=2))
    for class_id in (0, 1, 2):
        # Cubic interpolation reaches two pixels of the image before the resize, and their own
        # width more at the mask's edge, which is known to the nearest pixel only. What lies
        # beyond the crop may be of another class.
        other = torch.from_numpy((mask != class_id) & ~padding).float()
        reach = math.ceil(2.5 * max(1, geometry.height / height, geometry.width / width)) + 1
        other = torch.nn.functional.pad(other[None], (reach,) * 4, value=1)
        near = torch.nn.functional.max_pool2d(other, 2 * reach + 1, stride=1)[0] > 0
        inside = (mask == class_id) & ~near.numpy()
        assert (image[inside] == 100 * class_id).all()


@pytest.mark.parametrize(
    ("shape", "channels"), [((6, 8), ()), ((6, 8, 1), (1,)), ((6, 8, 5), (5,))]
)
@pytest.mark.parametrize("dtype", [np.uint8, np.float32])
@pytest.mark.parametrize("interpolation", ["nearest", "linear", "cubic"])
@pytest.mark.parametrize("size", [(3, 4), (12, 16), (3, 16)])
def test_resizing_keeps_channels_type_and_constants(shape, channels, dtype, interpolation, size):
    resized = resize(np.full(shape, 7, dtype=dtype), *size, interpolation=interpolation)
    assert (resized.shape, resized.dtype) == ((*size, *channels), dtype)
    np.testing.assert_allclose(resized, 7, rtol=1e-6)


@pytest.mark.parametrize("interpolation", ["nearest", "linear", "cubic"])
@pytest.mark.parametrize("size", [(4, 5), (20, 5), (20, 30)])
@pytest.mark.parametrize("channels", [5, 300])
def test_each_of_many_channels_is_resized_as_it_is_alone(interpolation, size, channels):
    maps = np.random.default_rng(0).random((9, 13, channels), dtype=np.float32)
    resized = resize(maps, *size, interpolation=interpolation)
    alone = [resize(maps[..., k], *size, interpolation=interpolation) for k in range(channels)]
    np.testing.assert_allclose(resized, np.stack(alone, axis=2), atol=2e-6)


def test_shrinking_averages_but_for_class_ids():
    array = np.array([[0, 8], [40, 80]], dtype=np.uint8).repeat(2, axis=1)
    array = np.concatenate([array, array])[:2]
    assert resize(array, 1, 2, interpolation="cubic").tolist() == [[20, 44]]
    shrunk = resize(array, 1, 2, interpolation="nearest")
    assert set(shrunk.ravel().tolist()) <= set(array.ravel().tolist())


def test_resizing_commutes_with_flipping():
    image = noise(20, 30)
    for size in ((10, 15), (40, 60), (33, 47)):
        flipped = resize(np.ascontiguousarray(image[:, ::-1]), *size, interpolation="cubic")
        straight = resize(image, *size, interpolation="cubic")[:, ::-1]
        assert np.abs(flipped.astype(int) - straight).max() <= 1  # rounding


def test_no_jitter_changes_nothing():
    image = noise(16, 16)
    assert np.array_equal(color_jitter(image, np.random.default_rng(0), NO_JITTER), image)


def test_brightness_is_a_factor_of_its_range():
    image = np.full((4, 4, 3), 100, dtype=np.uint8)
    jitter = NO_JITTER.model_copy(update={"brightness": 0.3})
    rng = np.random.default_rng(0)
    values = [int(color_jitter(image, rng, jitter)[0, 0, 0]) for _ in range(200)]
    assert 70 <= min(values) < 75 and 125 < max(values) <= 130


def test_jitter_follows_its_generator_and_leaves_its_argument():
    image = noise(16, 16)
    before = image.copy()
    first, again, other = (
        color_jitter(image, np.random.default_rng(seed), ColorJitter()) for seed in (1, 1, 2)
    )
    assert np.array_equal(first, again)
    assert not np.array_equal(first, other)
    assert np.array_equal(image, before)
    assert first.flags.writeable


def test_an_image_becomes_a_tensor():
    image = np.zeros((2, 3, 3), dtype=np.uint8)
    image[1, 2] = (255, 51, 0)
    tensor = image_tensor(image[:, ::-1])
    assert (tensor.shape, tensor.dtype) == ((3, 2, 3), torch.float32)
    torch.testing.assert_close(tensor[:, 1, 0], torch.tensor([1.0, 0.2, 0.0]))
    assert tensor.sum() == pytest.approx(1.2)
