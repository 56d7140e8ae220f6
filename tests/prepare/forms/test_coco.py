"""Tests of labels in COCO's JSON."""

import json

import numpy as np
import pytest
from pycocotools import mask as coco_mask

from tests.prepare.forms.pictures import read, tags_of, write_picture
from wsss_core.data.images import read_mask
from wsss_core.prepare.findings import Findings
from wsss_core.prepare.folder import read_folder
from wsss_core.runtime.errors import UserError
from wsss_core.stages.prepare_dataset import prepare_dataset

SQUARE = [2, 3, 10, 3, 10, 9, 2, 9]  # x, y; columns 2 to 9, rows 3 to 8
CATEGORIES = [{"id": 7, "name": "dog"}, {"id": 3, "name": "cat"}]


def runs(area: np.ndarray) -> dict:
    encoded = coco_mask.encode(np.asfortranarray(area.astype(np.uint8)))
    return {"size": encoded["size"], "counts": encoded["counts"].decode()}


def plain_runs(area: np.ndarray) -> dict:
    flat = area.ravel(order="F").astype(int)
    edges = np.flatnonzero(np.diff(flat)) + 1
    counts = np.diff([0, *edges, flat.size]).tolist()
    return {"size": list(area.shape), "counts": counts if flat[0] == 0 else [0, *counts]}


def write_coco(root, annotations, *, images=("a.jpg", "images/b.jpg", "c.jpg"), name="labels.json"):
    (root / name).parent.mkdir(parents=True, exist_ok=True)
    content = {
        "images": [
            {"id": 10 + k, "file_name": image, "height": 16, "width": 24}
            for k, image in enumerate(images)
        ],
        "categories": CATEGORIES,
        "annotations": [
            {"id": k, "image_id": 10 + image, "category_id": category, **shape}
            for k, (image, category, shape) in enumerate(annotations)
        ],
    }
    (root / name).write_text(json.dumps(content))


@pytest.fixture
def pictures(tmp_path):
    for seed, name in enumerate("abc"):
        write_picture(tmp_path / f"images/{name}.jpg", seed=seed)
    return tmp_path


def test_tags_without_shapes(pictures):
    write_coco(pictures, [(0, 3, {}), (0, 7, {"bbox": [1, 2, 3, 4]}), (1, 7, {}), (1, 7, {})])
    source, _ = read(pictures)
    assert source.class_names == ("cat", "dog")  # by the ids of categories
    assert tags_of(source) == {"a": {"cat", "dog"}, "b": {"dog"}, "c": set()}
    assert source.masks == {}


def test_the_only_shape_may_be_that_of_a_late_annotation(pictures):
    without = [(0, 3, {"bbox": [1, 2, 3, 4]})] * 200
    write_coco(pictures, [*without, (1, 7, {"segmentation": [SQUARE]})])
    source, _ = read(pictures)
    assert set(source.masks) == {"b", "c"}  # c has no annotation, so it is all background


@pytest.mark.parametrize("encode", [runs, plain_runs])
def test_masks_are_drawn_from_polygons_and_runs(pictures, encode):
    large, small = np.zeros((16, 24), bool), np.zeros((16, 24), bool)
    large[1:12, 1:20], small[5:7, 4:12] = True, True
    annotations = [
        (0, 3, {"segmentation": [SQUARE], "iscrowd": 0}),
        (1, 7, {"segmentation": encode(small), "iscrowd": 1}),
        (1, 3, {"segmentation": encode(large), "iscrowd": 1}),
    ]
    write_coco(pictures, annotations)
    findings = Findings()
    source = read_folder(pictures, scored_splits=["train_aug"], findings=findings)
    prepare_dataset(source, pictures / "data", findings=findings)
    drawn = {name: read_mask(pictures / f"data/masks/{name}.png") for name in "abc"}
    assert drawn["a"].shape == (16, 24)
    assert (drawn["a"][3:9, 2:10] == 1).all()
    assert drawn["a"].sum() == 6 * 8
    np.testing.assert_array_equal(drawn["b"], np.where(small, 2, large))
    assert not drawn["c"].any()


def test_coco_2014(tmp_path):
    for split, name in (("train", "a"), ("train", "b"), ("val", "c")):
        write_picture(tmp_path / f"{split}2014/COCO_{name}.jpg", seed=ord(name))
        shape = {"segmentation": [SQUARE]}
        images = ["COCO_a.jpg", "COCO_b.jpg"] if split == "train" else ["COCO_c.jpg"]
        annotations = [(k, 3 + 4 * k, shape) for k in range(len(images))]
        name = f"annotations/instances_{split}2014.json"
        write_coco(tmp_path, annotations, images=images, name=name)
        captions = tmp_path / f"annotations/captions_{split}2014.json"
        captions.write_text(json.dumps({"images": [], "annotations": [], "licenses": []}))
    source, _ = read(tmp_path, ("train", "val"))
    assert source.splits == {
        "train": ["COCO_a", "COCO_b"], "train_aug": ["COCO_a", "COCO_b"], "val": ["COCO_c"],
    }  # fmt: skip
    assert source.images["COCO_c"] == tmp_path / "val2014/COCO_c.jpg"
    assert set(source.masks) == {"COCO_a", "COCO_b", "COCO_c"}


@pytest.mark.parametrize(
    ("segmentation", "message"),
    [
        ([[1, 2]], "has a shape that cannot be drawn"),
        ("abc", "has a shape that cannot be drawn"),
        (plain_runs(np.ones((3, 4))), "has a shape that cannot be drawn (4x3, not 24x16)"),
    ],
)
def test_damaged_shapes_are_told(pictures, segmentation, message):
    write_coco(
        pictures, [(0, 3, {"segmentation": segmentation}), (1, 7, {"segmentation": [SQUARE]})]
    )
    findings = Findings()
    source = read_folder(pictures, scored_splits=[], findings=findings)
    with pytest.raises(UserError) as error:
        prepare_dataset(source, pictures / "data", findings=findings)
    assert f"1 bad mask drawing: that of a {message}" in str(error.value)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("{", r"labels.json is not valid JSON \("),
        ('{"images": [{"id": 1}], "categories": [], "annotations": []}', "is not COCO's format"),
        (
            '{"images": [{"id": 1, "file_name": "a.jpg"}], "categories": [], '
            '"annotations": [{"image_id": 1, "category_id": 5}]}',
            "is not COCO's format",
        ),
        ('{"images": [], "categories": 3, "annotations": []}', "is not COCO's format"),
    ],
)
def test_damaged_files_are_told(pictures, content, message):
    (pictures / "labels.json").write_text(content)
    with pytest.raises(UserError, match=message):
        read(pictures)
