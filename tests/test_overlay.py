"""Classes painted over a photograph."""

import numpy as np

from wsss_core.overlay import outline, paint_mask


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
