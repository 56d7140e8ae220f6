"""Tests of labels in VOC's XML with a user's own classes."""

import pytest

from tests.prepare.forms.pictures import read, tags_of, write_picture
from wsss_core.runtime.errors import UserError


def xml(*names):
    objects = "".join(f"<object><name>{name}</name></object>" for name in names)
    return f"<annotation><filename>whatever.jpg</filename>{objects}</annotation>"


@pytest.mark.parametrize(
    ("pictures", "annotations"),
    [("JPEGImages", "Annotations"), ("images", "annotations"), ("images", "images"), (".", ".")],
)
def test_objects_are_tags(tmp_path, pictures, annotations):
    (tmp_path / annotations).mkdir(exist_ok=True)
    labels = {"a": ("owl", "owl", "tree"), "b.1": ("tree",), "c": ()}
    for seed, (name, names) in enumerate(labels.items()):
        write_picture(tmp_path / pictures / f"{name}.jpg", seed=seed)
        (tmp_path / annotations / f"{name}.xml").write_text(xml(*names))
    source, _ = read(tmp_path)
    assert source.class_names == ("owl", "tree")
    assert tags_of(source) == {name: set(names) for name, names in labels.items()}
    assert set(source.images) == set(labels)


def test_all_damaged_annotations_are_told(tmp_path):
    (tmp_path / "Annotations").mkdir()
    for name, text in (("a", "<annotation>"), ("b", "<html></html>"), ("c", xml("owl"))):
        write_picture(tmp_path / f"images/{name}.jpg")
        (tmp_path / f"Annotations/{name}.xml").write_text(text)
    with pytest.raises(UserError) as error:
        read(tmp_path)
    first, second = str(error.value).split("\n")
    assert "Annotations/a.xml cannot be read" in first
    assert "Annotations/b.xml starts with <html>, not <annotation>; expected VOC's XML" in second
