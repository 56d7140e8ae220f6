import csv
import shutil
import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.conftest import TRAIN_IDS
from wsss_core.data.dataset import open_dataset
from wsss_core.prepare.findings import Findings
from wsss_core.prepare.folder import read_folder
from wsss_core.prepare.names import BadNameError, read_id
from wsss_core.runtime.errors import UserError
from wsss_core.stages.prepare_dataset import prepare_dataset

DECOMPOSED = unicodedata.normalize("NFD", "Kühe, Süd")
NAMES = ["my cat (2)", DECOMPOSED, "犬", "it's $5 & more", "Screenshot 10.00.00\u202fAM", "a.b"]


@pytest.fixture
def pictures(tiny_dataset):
    """Photographs with odd names and a table of tags, no more."""
    for name in ("masks", "splits", "classes.txt"):
        path = tiny_dataset / name
        shutil.rmtree(path) if path.is_dir() else path.unlink()
    with (tiny_dataset / "labels.csv").open("w", newline="", encoding="utf-8") as file:
        table = csv.writer(file)
        table.writerow(["image", "tags"])
        for number, (old, new) in enumerate(zip(TRAIN_IDS, NAMES, strict=True)):
            (tiny_dataset / f"images/{old}.jpg").rename(tiny_dataset / f"images/{new}.jpg")
            listed = unicodedata.normalize("NFC", new)
            tags = ["tabby cat; Kuh", "Kuh", "tabby cat", "", "Kuh;", "tabby cat"][number]
            table.writerow([f"{listed}.jpg" if number % 2 else listed, tags])
    return tiny_dataset


def test_a_table_of_tags_is_enough(pictures, tmp_path):
    findings = Findings()
    source = read_folder(pictures, scored_splits=[], findings=findings)
    prepare_dataset(source, tmp_path / "data", findings=findings)
    dataset = open_dataset(tmp_path / "data")
    ids = [unicodedata.normalize("NFC", name) for name in NAMES]
    assert dataset.class_names == ("Kuh", "tabby cat")
    assert dataset.split("train_aug") == sorted(ids)
    expected = [[1, 1], [1, 0], [0, 1], [0, 0], [1, 0], [0, 1]]
    assert [dataset.labels[image_id].tolist() for image_id in ids] == expected
    for image_id in ids:
        assert dataset.read_image(image_id).shape[0] == 48


def read(root, scored_splits=()):
    findings = Findings()
    source = read_folder(root, scored_splits=scored_splits, findings=findings)
    findings.raise_errors()
    return source


def test_the_order_of_classes_may_be_given(pictures):
    (pictures / "classes.txt").write_text("tabby cat\nKuh\n")
    source = read(pictures)
    assert source.class_names == ("tabby cat", "Kuh")
    assert source.labels["my cat (2)"] == (1, 1)


def test_a_tag_that_is_no_class_is_told(pictures):
    (pictures / "classes.txt").write_text("tabby cat\n")
    with pytest.raises(UserError) as error:
        read(pictures)
    assert str(error.value) == (
        f"{pictures}/labels.csv line 2: image 'my cat (2)' has the tag 'Kuh', which classes.txt "
        "does not list; expected some of tabby cat"
    )


def test_scores_need_the_order_of_classes(pictures):
    with pytest.raises(UserError, match=r"classes.txt is missing"):
        read(pictures, ["val"])


def test_a_listed_picture_that_is_missing_is_told_by_its_line(pictures):
    with (pictures / "labels.csv").open("a") as file:
        file.write("lost.jpg,Kuh\n")
    with pytest.raises(UserError) as error:
        read(pictures)
    assert str(error.value).startswith(f"{pictures}/labels.csv line 8: no picture 'lost'; expected")


@given(st.text())
def test_an_id_can_be_listed_line_by_line(text):
    try:
        image_id = read_id(text)
    except BadNameError:
        return
    assert [line for line in f"{image_id}\n".split("\n") if line] == [image_id]
    assert unicodedata.is_normalized("NFC", image_id)
