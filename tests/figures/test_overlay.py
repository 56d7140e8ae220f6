"""Tests of overlays: classes painted over a photograph."""

import numpy as np

from wsss_core.data.images import voc_palette
from wsss_core.figures.overlay import outline, paint_mask


def test_mask_is_painted_by_class() -> None:
    photo = np.full((5, 7, 3), 100, dtype=np.uint8)
    mask = np.zeros((5, 7), dtype=np.uint8)
    mask[1:4, 1:4] = 1
    mask[2, 6] = 255
    picture = paint_mask(photo, mask)
    assert picture[0, 0].tolist() == [75, 75, 75]  # dimmed photograph
    assert picture[1, 1].tolist() == [128, 0, 0]  # full outline
    assert picture[2, 2].tolist() == [107, 30, 30]  # 0.4 * 75 + 0.6 * colour
    assert picture[2, 6].tolist() == [255, 255, 255]
    assert outline(mask).sum() == 8 + 1


def test_painting_is_that_of_each_pixel_by_itself() -> None:
    """Up to halves, which are rounded either way."""
    rng = np.random.default_rng(0)
    photo = rng.integers(0, 256, (50, 9, 3), dtype=np.uint8)
    mask = rng.choice(np.array([0, 1, 7, 255], dtype=np.uint8), (50, 9))
    is_full = outline(mask)
    painted = paint_mask(photo, mask).astype(float)
    for place in np.ndindex(mask.shape):
        index, dimmed = mask[place], 0.75 * photo[place]
        color = voc_palette()[index] if index != 255 else np.full(3, 255)
        opacity = 0 if index == 0 else 1 if index == 255 or is_full[place] else 0.6
        expected = (1 - opacity) * dimmed + opacity * color
        assert np.abs(painted[place] - expected).max() <= 0.6
