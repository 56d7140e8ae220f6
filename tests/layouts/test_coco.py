"""Tests of the conversion of masks to COCO's JSON and back."""

import json

import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import array_shapes, arrays

from wsss_core.layouts.coco import CocoWriter, outline
from wsss_core.prepare.forms.coco import ShapeMask

MASKS = arrays(
    np.uint8, array_shapes(min_dims=2, max_dims=2, max_side=12), elements=st.integers(0, 2)
)


def content(mask):
    writer = CocoWriter(["cat", "dog"])
    writer.add("sub/a.jpg", mask)
    return json.loads(json.dumps(writer.content()))


@given(mask=MASKS)
def test_what_is_read_is_what_was_written(mask):
    shapes = tuple((a["category_id"], a["segmentation"]) for a in content(mask)["annotations"])
    np.testing.assert_array_equal(ShapeMask(shapes, *mask.shape).draw(), mask)


def test_the_file_by_hand():
    mask = np.zeros((4, 6), dtype=np.uint8)
    mask[1:3, 2:5] = 2
    mask[3, 0] = 255
    told = content(mask)
    assert told["images"] == [{"id": 1, "file_name": "sub/a.jpg", "height": 4, "width": 6}]
    assert told["categories"] == [{"id": 1, "name": "cat"}, {"id": 2, "name": "dog"}]
    (annotation,) = told["annotations"]
    (polygon,) = annotation.pop("segmentation")
    assert annotation == {
        "id": 1,
        "image_id": 1,
        "category_id": 2,
        "area": 6,
        "bbox": [2, 1, 3, 2],
        "iscrowd": 0,
    }
    corners = np.array(polygon).reshape(-1, 2)
    assert np.abs(corners - corners.round()).max() < 0.2  # within the outermost sixth of a pixel
    assert sorted(map(tuple, corners.round().tolist())) == [(2, 1), (2, 3), (5, 1), (5, 3)]


def test_a_hole_is_joined_to_the_outline():
    ring = np.ones((3, 3), dtype=np.uint8)
    ring[1, 1] = 0
    assert len(outline(ring, x=0, y=0)) > 2 * 8
