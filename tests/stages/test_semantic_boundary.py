"""Tests that label maps keep only the classes of the image-level label."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from wsss_core.stages.semantic_boundary import gate_by_label


def test_classes_that_the_label_rules_out_become_background_by_hand():
    mask = np.array([[0, 1, 2, 3], [3, 2, 1, 0]], dtype=np.uint8)
    gated = gate_by_label(mask, np.array([1, 0, 1], dtype=np.uint8))
    expected = np.array([[0, 1, 0, 3], [3, 0, 1, 0]], dtype=np.uint8)
    np.testing.assert_array_equal(gated, expected)
    assert gated.dtype == np.uint8
    assert mask[0, 2] == 2  # the argument stays as it was


def test_an_image_without_a_label_is_all_background():
    mask = np.array([[0, 1], [2, 1]], dtype=np.uint8)
    assert not gate_by_label(mask, np.zeros(2, dtype=np.uint8)).any()


@given(
    mask=hnp.arrays(np.uint8, (5, 6), elements=st.integers(0, 4)),
    label=hnp.arrays(np.uint8, 4, elements=st.integers(0, 1)),
)
def test_what_is_left_is_possible_and_was_there_before(mask, label):
    gated = gate_by_label(mask, label)
    present = {0, *(np.flatnonzero(label) + 1)}
    np.testing.assert_array_equal(gated == mask, np.isin(mask, list(present)))
    assert not gated[gated != mask].any()
    np.testing.assert_array_equal(gate_by_label(gated, label), gated)
