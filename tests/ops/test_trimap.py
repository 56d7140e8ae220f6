"""Tests of the band around boundaries, on very small masks."""

import numpy as np

from wsss_core.ops.trimap import near_boundary


def test_band_is_two_per_cent_of_the_diagonal_to_each_side() -> None:
    mask = np.zeros((300, 400), dtype=np.uint8)  # diagonal 500: 10 pixels
    mask[:, 200:] = 3
    columns = np.flatnonzero(near_boundary(mask)[150])
    assert (columns.min(), columns.max(), len(columns)) == (190, 209, 20)


def test_a_small_picture_has_at_least_the_pixels_beside_the_boundary() -> None:
    mask = np.array([[0, 0, 255, 1, 1]], dtype=np.uint8)
    assert near_boundary(mask).tolist() == [[False, True, True, True, False]]


def test_one_class_has_no_boundary() -> None:
    assert not near_boundary(np.full((5, 5), 2, dtype=np.uint8)).any()
