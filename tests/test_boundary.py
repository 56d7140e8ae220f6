"""Edges of photographs and semantic boundaries, and the program that writes the edges."""

import sys

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from PIL import Image

from workflow_scripts import canny
from wsss_core.boundary import canny_edges, cast_canny_edges, semantic_boundary


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
    with pytest.raises(RuntimeError, match="smaller than num_classes"):
        semantic_boundary(torch.full((1, 4, 4), 7), num_classes=3, radius=1)


@pytest.mark.parametrize("channel", [0, 1, 2])
def test_canny_finds_a_step_in_any_channel(channel):
    image = np.zeros((20, 20, 3), dtype=np.uint8)
    image[:, 10:, channel] = 100
    edges = canny_edges(image, low=10, high=100)
    assert (edges.shape, edges.dtype) == ((20, 20), np.uint8)
    assert set(np.unique(edges)) == {0, 255}
    columns = np.flatnonzero(edges.any(axis=0))
    assert len(columns) == 1 and columns[0] in (9, 10)


def test_canny_ignores_flat_areas_and_steps_below_the_threshold():
    image = np.full((20, 20, 3), 90, dtype=np.uint8)
    assert not canny_edges(image, low=10, high=100).any()
    image[:, 10:] += 20  # its Sobel response is 80
    assert not canny_edges(image, low=10, high=100).any()
    assert canny_edges(image, low=10, high=70).any()


def test_edges_of_a_cast_image_by_hand():
    """-1.9 becomes -1 and wraps to 255, next to the 0 that -0.9 and 0.9 become; 0.9 to 2.1 is 2."""
    image = torch.full((2, 3, 16, 16), 0.9)
    image[0, :, :, 8:] = -1.9
    image[1, :, :, :8] = -0.9
    image[1, :, 8:] = 2.1
    edges = cast_canny_edges(image, low=10, high=100)
    assert edges.shape == (2, 1, 16, 16) and edges.dtype == torch.float32
    assert set(edges.unique().tolist()) == {0, 1}
    columns = edges[0, 0].any(0).nonzero().flatten().tolist()
    assert len(columns) == 1 and columns[0] in (7, 8)
    assert edges[1].count_nonzero() == 0


@given(values=arrays(np.float32, (1, 3, 6, 6), elements=st.floats(-2.5, 2.75, width=32)))
@settings(max_examples=30)
def test_edges_of_a_cast_image_as_plain_python_wraps_it(values):
    wrapped = np.array([int(v) % 256 for v in values.flat], dtype=np.uint8).reshape(values.shape)
    expected = canny_edges(np.ascontiguousarray(wrapped[0].transpose(1, 2, 0)), low=10, high=100)
    edges = cast_canny_edges(torch.from_numpy(values), low=10, high=100)
    assert np.array_equal(edges[0, 0].numpy() * 255, expected)


def test_the_program_writes_edges_of_training_images(tiny_dataset, tmp_path, monkeypatch):
    output = tmp_path / "canny"
    arguments = ["--dataset", tiny_dataset, "--output", output, "--config", '{"low": 20}']
    monkeypatch.setattr(sys, "argv", ["canny.py", *map(str, arguments)])
    canny.main()
    names = (tiny_dataset / "splits" / "train_aug.txt").read_text().split()
    assert sorted(path.stem for path in output.iterdir()) == sorted(names)
    for name in names:
        with Image.open(output / f"{name}.png") as edges:
            assert edges.mode == "1"
            written = np.array(edges)
        with Image.open(tiny_dataset / "images" / f"{name}.jpg") as image:
            assert np.array_equal(written, canny_edges(np.array(image), low=20, high=100) > 0)
