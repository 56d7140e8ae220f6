"""Tests of the labels of a second round."""

import numpy as np
import pytest

from benchmarks.second_round import LABELS

OWN = np.array([[0, 1, 2], [1, 3, 0]], dtype=np.uint8)
WALK = np.array([[0, 1, 1], [0, 3, 0]], dtype=np.uint8)
LABEL = np.array([1, 0, 1], dtype=np.uint8)  # class 2 is absent


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("random_walk", WALK.tolist()),
        ("own_masks", OWN.tolist()),
        ("possible", [[0, 1, 255], [1, 3, 0]]),
        ("agreed", [[0, 1, 255], [255, 3, 0]]),
    ],
)
def test_labels_of_the_second_network(name, expected):
    label = LABELS[name](OWN, WALK, LABEL)
    assert label.dtype == np.uint8
    assert label.tolist() == expected
