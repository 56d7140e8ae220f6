"""Tests of Canny edges, and of the program that writes them."""

import sys

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from PIL import Image

from workflow_scripts import canny
from wsss_core.ops.canny import canny_edges, cast_canny_edges


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
    image = np.full((2, 3, 16, 16), 0.9, dtype=np.float32)
    image[0, :, :, 8:] = -1.9
    image[1, :, :, :8] = -0.9
    image[1, :, 8:] = 2.1
    edges = cast_canny_edges(image, low=10, high=100)
    assert (edges.shape, edges.dtype) == ((2, 16, 16), np.uint8)
    assert set(np.unique(edges)) == {0, 255}
    columns = np.flatnonzero(edges[0].any(axis=0))
    assert len(columns) == 1 and columns[0] in (7, 8)
    assert not edges[1].any()


@given(values=arrays(np.float32, (1, 3, 6, 6), elements=st.floats(-2.5, 2.75, width=32)))
@settings(max_examples=30)
def test_edges_of_a_cast_image_as_plain_python_wraps_it(values):
    wrapped = np.array([int(v) % 256 for v in values.flat], dtype=np.uint8).reshape(values.shape)
    expected = canny_edges(np.ascontiguousarray(wrapped[0].transpose(1, 2, 0)), low=10, high=100)
    assert np.array_equal(cast_canny_edges(values, low=10, high=100)[0], expected)


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
