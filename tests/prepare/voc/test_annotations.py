import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.prepare.voc.devkit import CLASSES, annotation
from wsss_core.prepare.voc.annotations import AnnotationError, image_label, read_annotations
from wsss_core.runtime.errors import UserError

OBJECTS = st.lists(st.sampled_from(CLASSES), max_size=8)


def names_in(xml: str) -> set[str]:
    label = image_label(xml.encode(), class_names=CLASSES)
    return {name for name, value in zip(CLASSES, label, strict=True) if value}


@given(plain=OBJECTS, difficult=OBJECTS)
def test_label_has_each_object_however_often_and_however_difficult(plain, difficult):
    assert names_in(annotation("x", plain, difficult=difficult)) == {*plain, *difficult}


def test_label_by_hand_is_in_the_order_of_the_classes():
    xml = "<annotation><object><name> dog\n</name></object><object><name>cat</name></object>"
    label = image_label(f"{xml}</annotation>".encode(), class_names=["dog", "cat", "cow"])
    assert label == (1, 1, 0)


def test_parts_of_a_person_and_the_name_of_the_database_are_no_objects():
    xml = annotation("x", ["person"])
    assert "<name>head</name>" in xml
    assert names_in(xml) == {"person"}


def test_an_annotation_without_objects():
    assert names_in(annotation("x", [])) == set()


BOMB = '<!DOCTYPE a [<!ENTITY b "bb"><!ENTITY c "&b;&b;">]><annotation>&c;</annotation>'
FILE = '<!DOCTYPE a [<!ENTITY b SYSTEM "file:///etc/passwd">]><annotation>&b;</annotation>'


@pytest.mark.parametrize(
    ("xml", "message"),
    [
        (b"", r"cannot be read \(no element found"),
        (annotation("x", ["cat"]).encode()[:-20], r"cannot be read \(.*line \d+"),
        (b"\xff\xd8\xff\xe0", r"cannot be read \(not well-formed"),
        (b'<?xml version="1.0" encoding="none"?><annotation/>', r"cannot be read \(.*encoding"),
        (b"<html><body/></html>", "starts with <html>"),
        (annotation("x", ["catt"]).encode(), "has an object 'catt', which is no class of VOC"),
        (b"<annotation><object/></annotation>", "has an object '', which"),
        (BOMB.encode(), "has a document type"),
        (BOMB.encode("utf-16"), "has a document type"),
        (FILE.encode(), "has a document type"),
    ],
)
def test_what_is_no_annotation_is_refused(xml, message):
    with pytest.raises(AnnotationError, match=message):
        image_label(xml, class_names=CLASSES)


def test_bad_annotations_are_counted_and_the_first_named(tmp_path):
    (tmp_path / "a.xml").write_text(annotation("a", ["cat"]))
    for name in "bcdef":
        (tmp_path / f"{name}.xml").touch()
    with pytest.raises(UserError) as error:
        read_annotations(tmp_path, "abcdef", class_names=CLASSES)
    message = str(error.value)
    assert message.startswith(f"5 bad annotations: {tmp_path}/b.xml cannot be read (no element")
    assert message.endswith(" and 2 more; expected VOC's XML: unpack it again")
    assert "\n" not in message
