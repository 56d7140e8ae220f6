"""Tests of labels in Label Studio's JSON."""

import json

import pytest

from tests.prepare.forms.pictures import read, tags_of, write_picture
from wsss_core.prepare.forms.label_studio import file_name

NAMES = ("cat 1", "0a1b2c3d-dog", "both", "none")


def task(number, image, *labels, kind="choices", **annotation):
    results = [{"type": kind, "from_name": "choice", "value": {kind: [label]}} for label in labels]
    annotations = [{"result": results, **annotation}]
    return {"id": number, "data": {"image": image}, "annotations": annotations}


FULL = [
    task(1, "/data/upload/3/ffff0000-cat%201.jpg", "cat"),
    task(2, "/data/local-files/?d=pets/0a1b2c3d-dog.jpg", "dog"),
    task(3, "https://example.org/x/both.jpg?size=3", "cat", "dog"),
    task(4, "s3://bucket/none.jpg"),
]
SHORT = [
    {"id": 1, "image": "/data/upload/3/ffff0000-cat%201.jpg", "choice": "cat"},
    {"id": 2, "image": "0a1b2c3d-dog.jpg", "choice": "dog"},
    {"id": 3, "image": "both.jpg", "choice": {"choices": ["cat", "dog"]}},
]
BOXES = [task(1, "cat 1.jpg", "cat", "cat", kind="rectanglelabels"), task(2, "both.jpg", "dog")]


@pytest.fixture
def pictures(tmp_path):
    for seed, name in enumerate(NAMES):
        write_picture(tmp_path / f"images/{name}.jpg", seed=seed)
    return tmp_path


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        (
            FULL,
            {"cat 1": {"cat"}, "0a1b2c3d-dog": {"dog"}, "both": {"cat", "dog"}, "none": set()},
        ),
        (SHORT, {"cat 1": {"cat"}, "0a1b2c3d-dog": {"dog"}, "both": {"cat", "dog"}}),
        (BOXES, {"cat 1": {"cat"}, "both": {"dog"}}),
        ([*BOXES, task(3, "none.jpg", "cat", was_cancelled=True)],
         {"cat 1": {"cat"}, "both": {"dog"}, "none": set()}),
    ],
    ids=["full", "short", "boxes", "cancelled"],
)  # fmt: skip
def test_choices_are_tags(pictures, content, expected):
    (pictures / "project-3-at-2025.json").write_text(json.dumps(content))
    source, _ = read(pictures)
    assert tags_of(source) == expected
    assert set(source.images) == set(expected)


def test_csv_has_the_same_addresses(pictures):
    (pictures / "labels.csv").write_text(
        "image,id,choice,annotator\n/data/upload/3/ffff0000-cat%201.jpg,1,cat,1\n"
        '0a1b2c3d-dog.jpg,2,dog,1\nboth.jpg,3,"{""choices"":[""cat"",""dog""]}",1\n'
    )
    source, _ = read(pictures)
    expected = {"cat 1": {"cat"}, "0a1b2c3d-dog": {"dog"}, "both": {"cat", "dog"}}
    assert tags_of(source) == expected


def test_names_of_uploads():
    assert file_name("/data/upload/1/0a1b2c3d-a.jpg") == "0a1b2c3d-a.jpg"
    assert file_name("/data/upload/1/0a1b2c3d-a.jpg", frozenset({"a.jpg"})) == "a.jpg"
    assert file_name("images\\0a1b2c3d-a.jpg", frozenset({"a.jpg", "0a1b2c3d-a.jpg"})) == (
        "0a1b2c3d-a.jpg"
    )
