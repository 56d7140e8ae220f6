"""Tests of semantic boundaries of label maps."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from wsss_core.ops.boundary import semantic_boundary


def boundary_plainly(mask: np.ndarray, num_classes: int, radius: int) -> np.ndarray:
    """A class's boundary: both it and something else lie within the window, nothing ignored."""
    height, width = mask.shape
    result = np.zeros((num_classes, height, width))
    for y, x in np.ndindex(height, width):
        window = mask[
            max(y - radius, 0) : y + radius + 1,
            max(x - radius, 0) : x + radius + 1,
        ]
        if (window == 255).any():
            continue
        for class_id in np.unique(window):
            result[class_id, y, x] = (window != class_id).any()
    return result


def square(side: int) -> torch.Tensor:
    mask = torch.zeros(1, 16, 16, dtype=torch.uint8)
    mask[0, 5 : 5 + side, 5 : 5 + side] = 1
    return mask


@pytest.mark.parametrize(("radius", "pixels"), [(1, 8 * 8 - 4 * 4), (2, 10 * 10 - 2 * 2)])
def test_the_band_of_a_square(radius, pixels):
    boundary = semantic_boundary(square(6), num_classes=3, radius=radius)
    assert boundary.shape == (1, 3, 16, 16)
    assert boundary.sum((2, 3)).tolist() == [[pixels, pixels, 0]]
    assert boundary[0, 1, 8].sum() == 4 * radius  # two bands, each 2 * radius wide
    assert torch.equal(boundary[:, 0], boundary[:, 1])


@given(
    mask=arrays(np.uint8, (6, 7), elements=st.sampled_from([0, 0, 1, 1, 2, 255])),
    radius=st.integers(1, 3),
)
@settings(max_examples=50)
def test_boundaries_as_a_plain_loop_finds_them(mask, radius):
    boundary = semantic_boundary(torch.from_numpy(mask)[None], num_classes=4, radius=radius)
    assert np.array_equal(boundary[0].numpy(), boundary_plainly(mask, 4, radius))


def test_the_border_of_the_image_is_no_boundary():
    mask = torch.full((2, 5, 5), 1)
    assert semantic_boundary(mask, num_classes=2, radius=2).count_nonzero() == 0


def test_nothing_is_a_boundary_near_ignored_pixels():
    mask = square(6)
    mask[0, :, :5] = 255  # the square's left side
    boundary = semantic_boundary(mask, num_classes=2, radius=1)
    assert boundary[..., :6].count_nonzero() == 0
    assert boundary[0, 1, 8, 10:12].tolist() == [1, 1]


def test_boundaries_commute_with_flipping():
    mask = torch.randint(0, 3, (2, 9, 8), generator=torch.Generator().manual_seed(0))
    flipped = semantic_boundary(mask.flip(-1), num_classes=3, radius=1)
    assert torch.equal(flipped, semantic_boundary(mask, num_classes=3, radius=1).flip(-1))


def test_a_class_that_does_not_exist_is_refused():
    with pytest.raises(AssertionError, match="class 7; expected less than 3"):
        semantic_boundary(torch.full((1, 4, 4), 7), num_classes=3, radius=1)
