"""Tests that maps keep their position when they are resampled from grid to grid."""

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from wsss_core.ops.grid import (
    Axis,
    Grid,
    cornered,
    even,
    pick,
    pixels,
    pool,
    resample,
    spaced,
    within,
)

SIDES = st.tuples(st.integers(1, 40), st.integers(1, 40))
OFFSETS = st.sampled_from([0.0, 1.5, 3.5, 7.0, -2.0])


def rand(*shape: int) -> Tensor:
    return torch.rand(*shape, generator=torch.Generator().manual_seed(0), dtype=torch.float64)


def places(grid: Grid) -> list[list[float]]:
    """Rows and columns of the cells, in pixels."""
    return [[axis.offset + axis.stride * i for i in range(axis.length)] for axis in grid[:2]]


def read(cells: np.ndarray, axis: Axis, place: float) -> float:
    """One row of cells at a place in pixels; beyond the outermost cells, their values go on."""
    index = min(max((place - axis.offset) / axis.stride, 0), len(cells) - 1)
    left = int(index)
    right = min(left + 1, len(cells) - 1)
    return cells[left] + (index - left) * (cells[right] - cells[left])


def resample_plainly(maps: np.ndarray, source: Grid, target: Grid) -> np.ndarray:
    """A map [h, w], first along its rows, then along its columns."""
    rows, columns = places(target)
    across = np.array([[read(row, source.columns, x) for x in columns] for row in maps])
    return np.array([[read(column, source.rows, y) for column in across.T] for y in rows])


@given(image=SIDES, stride=st.sampled_from([1, 2, 8]), offset=OFFSETS, size=SIDES)
@settings(max_examples=60, deadline=None)
def test_cells_stay_where_they_are_in_the_image(image, stride, offset, size):
    source = spaced(image, stride=stride, offset=offset)
    maps = rand(*source.size)
    for target in (pixels(image), even(image, size), cornered(image, size), source):
        found = resample(maps[None, None], source, target)
        assert found.shape == (1, 1, *target.size)
        expected = resample_plainly(maps.numpy(), source, target)
        np.testing.assert_allclose(found[0, 0].numpy(), expected, atol=1e-9)


@given(image=SIDES, size=SIDES, wanted=SIDES)
@settings(max_examples=60, deadline=None)
def test_grids_that_torch_knows_are_resized_as_torch_does(image, size, wanted):
    maps = rand(2, 3, *size)
    for make, align_corners in ((even, False), (cornered, True)):
        source = make(image, size)
        expected = F.interpolate(maps, wanted, mode="bilinear", align_corners=align_corners)
        target = make(image, wanted)
        torch.testing.assert_close(resample(maps, source, target), expected)
        plain = resample_plainly(maps[0, 0].numpy(), source, target)
        np.testing.assert_allclose(expected[0, 0].numpy(), plain, atol=1e-9)


def test_cells_by_hand():
    assert places(pixels((1, 3))) == [[0], [0, 1, 2]]
    assert places(even((4, 6), (2, 3))) == [[0.5, 2.5], [0.5, 2.5, 4.5]]
    assert places(cornered((5, 9), (3, 2))) == [[0, 2, 4], [0, 8]]
    assert places(cornered((5, 9), (1, 1))) == [[0], [0]]
    assert places(spaced((9, 8), stride=8, offset=7)) == [[7, 15], [7]]


def test_a_grid_over_a_copy_in_pixels_of_the_image():
    """Cells on the pixels 0, 2, 4 of a copy whose pixels are 2 apart, the first on 0.5."""
    grid = spaced((5, 5), stride=2, offset=0)
    assert places(within(grid, even((10, 10), (5, 5)))) == [[0.5, 4.5, 8.5]] * 2
    assert places(within(grid, cornered((9, 9), (5, 5)))) == [[0, 4, 8]] * 2
    assert within(pixels((5, 5)), even((10, 10), (5, 5))) == even((10, 10), (5, 5))
    assert within(pixels((5, 5)), cornered((9, 9), (5, 5))) == cornered((9, 9), (5, 5))


def test_maps_are_read_in_single_precision_inside_of_autocast():
    grid = spaced((16, 16), stride=8, offset=7)
    maps = rand(1, 2, *grid.size).float()
    expected = resample(maps, grid, pixels((16, 16)))
    with torch.autocast("cpu", torch.bfloat16):
        assert torch.equal(resample(maps, grid, pixels((16, 16))), expected)
    coarse = resample(maps.bfloat16(), grid, pixels((16, 16)))
    assert coarse.dtype == torch.float32


def test_gradients():
    source, target = spaced((9, 11), stride=4, offset=3), even((9, 11), (3, 5))
    maps = rand(1, 2, *source.size).requires_grad_()
    assert torch.autograd.gradcheck(lambda x: resample(x, source, target), maps)
    fine = rand(1, 1, 9, 11).requires_grad_()
    assert torch.autograd.gradcheck(lambda x: pool(x, pixels((9, 11)), source), fine)


@given(image=SIDES, size=SIDES)
@settings(max_examples=40)
def test_labels_are_taken_from_the_nearest_pixel(image, size):
    labels = torch.arange(image[0] * image[1]).view(1, *image)
    found = pick(labels, pixels(image), even(image, size))
    expected = F.interpolate(labels[None].double(), size, mode="nearest-exact")[0]
    # Torch computes in single precision where halfway between two pixels is.
    steps = [(side / count) % 2 == 0 for side, count in zip(image, size, strict=True)]
    if not any(steps):
        agree = (found == expected.long()).double().mean()
        assert agree > 0.9
    assert found.dtype == labels.dtype and found.shape == (1, *size)


def test_labels_by_hand():
    labels = torch.tensor([[[1, 2, 3, 255, 5]]], dtype=torch.uint8)
    assert pick(labels, pixels((1, 5)), cornered((1, 5), (1, 3))).tolist() == [[[1, 3, 5]]]
    assert pick(labels, pixels((1, 5)), spaced((1, 5), stride=2, offset=1)).tolist() == [
        [[2, 255, 5]]
    ]


@given(image=SIDES, stride=st.sampled_from([2, 4, 8]))
@settings(max_examples=40, deadline=None)
def test_cells_in_the_middle_of_their_pixels_have_their_mean(image, stride):
    """Those that the image's edge cuts, the mean of the pixels that they have."""
    target = spaced(image, stride=stride, offset=(stride - 1) / 2)
    maps = rand(2, 1, *image)
    expected = F.avg_pool2d(maps, stride, ceil_mode=True)
    torch.testing.assert_close(pool(maps, pixels(image), target), expected)


@pytest.mark.parametrize(
    ("offset", "expected"),
    [
        (0.5, [0.5, 2.5, 4.5]),
        (1.5, [1.5, 3.5, 5]),  # the last one has one of its two pixels
        (1.0, [1, 3, 14 / 3]),  # pixel 0.5 to 1.5 half of two; 4.5 and 5 for the last, 3/4 of it
    ],
)
def test_means_around_cells_elsewhere(offset, expected):
    ramp = torch.arange(6.0).view(1, 1, 1, 6)
    target = Grid(Axis(2, 0.5, 1), Axis(2, offset, 3))
    found = pool(ramp.expand(1, 1, 2, 6), pixels((2, 6)), target)
    assert found[0, 0, 0].tolist() == pytest.approx(expected)


def test_means_over_cells_of_a_finer_map():
    """Cells of stride 2 that lie on the pixels 1, 3, 5, 7, around cells of stride 4 on 3 and 7."""
    ramp = torch.tensor([1.0, 3, 5, 7]).expand(1, 1, 4, 4)
    fine, coarse = (spaced((8, 8), stride=s, offset=s - 1) for s in (2, 4))
    found = pool(ramp, fine, coarse)
    # Around pixel 3, from 1 to 5: the mean of 2 and 4. Around 7: of 6, and of 8, half of it inside.
    assert found[0, 0, 0].tolist() == pytest.approx([3, (6 + 3.5) / 1.5])
