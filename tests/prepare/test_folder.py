import csv
import shutil
import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.conftest import TRAIN_IDS
from wsss_core.data.dataset import open_dataset
from wsss_core.prepare.folder import read_folder, read_labels
from wsss_core.prepare.id_lists import read_id
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
    prepare_dataset(read_folder(pictures, scored_splits=[]), tmp_path / "data")
    dataset = open_dataset(tmp_path / "data")
    ids = [unicodedata.normalize("NFC", name) for name in NAMES]
    assert dataset.class_names == ("Kuh", "tabby cat")
    assert dataset.split("train_aug") == sorted(ids)
    expected = [[1, 1], [1, 0], [0, 1], [0, 0], [1, 0], [0, 1]]
    assert [dataset.labels[image_id].tolist() for image_id in ids] == expected
    for image_id in ids:
        assert dataset.read_image(image_id).shape[0] == 48


def test_the_order_of_classes_may_be_given(pictures):
    (pictures / "classes.txt").write_text("tabby cat\nKuh\n")
    source = read_folder(pictures, scored_splits=[])
    assert source.class_names == ("tabby cat", "Kuh")
    assert source.labels["my cat (2)"] == (1, 1)


def test_a_tag_that_is_no_class_is_told(pictures):
    (pictures / "classes.txt").write_text("tabby cat\n")
    with pytest.raises(UserError) as error:
        read_folder(pictures, scored_splits=[])
    assert str(error.value) == (
        f"{pictures}/labels.csv line 2: image 'my cat (2)' has the tag 'Kuh', which classes.txt "
        "does not list; expected some of tabby cat"
    )


def test_scores_need_the_order_of_classes(pictures):
    with pytest.raises(UserError, match=r"classes.txt is missing"):
        read_folder(pictures, scored_splits=["val"])


def test_columns_name_the_classes(tmp_path):
    (tmp_path / "labels.csv").write_text("image,dog,cat\nx.JPG,1,0\ny,0,1\n")
    names, labels = read_labels(tmp_path / "labels.csv", class_names=None)
    assert names == ("dog", "cat")
    assert labels == {"x": (1, 0), "y": (0, 1)}


@pytest.mark.parametrize(
    ("table", "message"),
    [
        ("image\nx\n", r"starts with 'image'; expected the header 'image,<class>,...' or"),
        ("image,tags\nx,\n", r"names no class; expected at least one"),
        ("image,tags\nx,a,b\n", r"line 2 \(image 'x'\) has 3 cells; expected 2"),
        ("image,tags\nx,a\nx.png,a\n", r"line 3: image 'x' is there twice; expected once"),
        ("image,tags\n../x,a\n", r"line 2: image is '../x'; expected an image id"),
        ("image,tags\n,a\n", r"line 2: image is ''; expected an image id"),
        ("image,tags\nx,background\n", r"lists 'background'; expected only the other"),
        ("image,a,a\nx,0,1\n", r"has column a twice; expected each once"),
    ],
)
def test_bad_tables_are_one_line(tmp_path, table, message):
    (tmp_path / "labels.csv").write_text(table)
    with pytest.raises(UserError, match=message):
        read_labels(tmp_path / "labels.csv", class_names=None)


TAG = st.text("abc äß", min_size=1).map(str.strip).filter(bool)


@given(rows=st.dictionaries(st.integers(0, 99).map(str), st.sets(TAG), min_size=1))
def test_both_forms_say_the_same(rows, tmp_path_factory):
    names = sorted(set().union(*rows.values()))
    if not names:
        return
    path = tmp_path_factory.mktemp("labels") / "labels.csv"
    columns = [[image, *(int(name in tags) for name in names)] for image, tags in rows.items()]
    read = []
    for table in (
        [["image", "tags"], *([image, ";".join(tags)] for image, tags in rows.items())],
        [["image", *names, "unused"], *([*row, 0] for row in columns)],
    ):
        with path.open("w", newline="", encoding="utf-8") as file:
            csv.writer(file).writerows(table)
        read.append(read_labels(path, class_names=[*names, "unused"]))
    assert read[0] == read[1]


@given(st.text())
def test_an_id_can_be_listed_line_by_line(text):
    try:
        image_id = read_id(text, where="here")
    except UserError:
        return
    assert [line for line in f"{image_id}\n".split("\n") if line] == [image_id]
    assert unicodedata.is_normalized("NFC", image_id)
