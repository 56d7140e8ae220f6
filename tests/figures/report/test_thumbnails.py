"""Tests of pictures in data addresses, by decoding them."""

import base64
import io

import numpy as np
from PIL import Image

from wsss_core.data.images import voc_palette
from wsss_core.figures.report.thumbnails import (
    CAM_SIDE,
    LONGER_SIDE,
    cam_address,
    mask_address,
    photo_address,
)


def decoded(address):
    head, _, data = address.partition(",")
    assert head == "data:image/webp;base64"
    return Image.open(io.BytesIO(base64.b64decode(data)))


def test_large_pictures_are_shrunk_and_small_ones_are_not():
    assert decoded(photo_address(np.zeros((300, 600, 3), np.uint8))).size == (LONGER_SIDE, 150)
    assert decoded(photo_address(np.zeros((30, 40, 3), np.uint8))).size == (40, 30)
    assert decoded(mask_address(np.zeros((1200, 600), np.uint8))).size == (150, LONGER_SIDE)
    assert decoded(cam_address(np.zeros((180, 90), np.float32))).size == (CAM_SIDE // 2, CAM_SIDE)


def test_mask_has_the_colours_of_voc_and_background_is_transparent():
    mask = np.zeros((20, 30), dtype=np.uint8)
    mask[5:15, 5:15] = 3
    mask[0, 0] = 255
    pixels = np.array(decoded(mask_address(mask)).convert("RGBA"))
    assert (pixels[10, 10, :3] == voc_palette()[3]).all()
    assert 0 < pixels[10, 10, 3] < 255  # the photograph shines through
    assert pixels[5, 5, 3] == 255  # but not through its outline
    assert pixels[18, 25, 3] == 0
    assert pixels[0, 0].tolist() == [255, 255, 255, 255]


def test_cam_is_red_where_it_is_high_and_blue_where_it_is_low():
    scores = np.zeros((40, 60), dtype=np.float32)
    scores[:, :20] = 0.9
    scores[:, 20:40] = 0.1
    pixels = np.array(decoded(cam_address(scores)).convert("RGBA")).astype(int)
    high, low = pixels[20, 10], pixels[20, 30]
    assert high[0] > high[2]
    assert low[2] > low[0]
    assert high[3] > low[3]
