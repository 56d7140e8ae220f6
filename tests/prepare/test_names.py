"""Tests of class names: refused names, similar names, and the sources of lists."""

import pytest

from tests.prepare.forms.pictures import read, write_picture
from wsss_core.config.dataset import DatasetConfig
from wsss_core.prepare.names import COLUMNS, BadNameError, read_class_name
from wsss_core.prepare.part_sizes import jobs_by_part
from wsss_core.prepare.similar_names import how_similar
from wsss_core.runtime.errors import UserError


@pytest.mark.parametrize("name", [*COLUMNS, "Seed", "MIOU", " stage ", "", "a\tb", "a\u2028b"])
def test_names_that_no_class_may_have(name):
    with pytest.raises(BadNameError):
        read_class_name(name)


@pytest.mark.parametrize("name", ["seedling", "ground", "back ground", "犬", "a, b", "100 %"])
def test_names_that_a_class_may_have(name):
    assert read_class_name(f" {name} ") == name


@pytest.mark.parametrize(
    ("one", "other", "how"),
    [
        ("Cat", "cat", "case, accents or spaces"),
        ("traffic light", "traffic_light", "case, accents or spaces"),
        ("Kühe", "Kuhe", "case, accents or spaces"),
        ("hosre", "horse", "one letter"),
        ("horse", "horses", "one letter"),
        ("mouse", "house", "one letter"),
        ("cat", "car", None),
        ("horse", "hoof", None),
        ("sheep", "sleek", None),
    ],
)
def test_names_that_are_nearly_the_same(one, other, how):
    assert how_similar(one, other) == how
    assert how_similar(other, one) == how


@pytest.fixture
def folder(tmp_path):
    for seed, name in enumerate("abcd"):
        write_picture(tmp_path / f"images/{name}.jpg", seed=seed)
        write_picture(tmp_path / f"masks/{name}.png", seed=seed)
    (tmp_path / "labels.csv").write_text("image,tags\na,cat\nb,cat\nc,dog\nd,dog\n")
    (tmp_path / "classes.txt").write_text("cat\ndog\n")
    (tmp_path / "splits").mkdir()
    (tmp_path / "splits/readme.txt").write_text("These are the splits: ...\n")
    return tmp_path


def test_a_text_beside_the_lists_is_no_split(folder):
    source, _ = read(folder)
    assert source.splits == {"train_aug": ["a", "b", "c", "d"]}


def test_val_alone_leaves_the_rest_to_train_on(folder):
    (folder / "splits/val.txt").write_text("b\nd.jpg\n")
    source, _ = read(folder, ("val",))
    assert source.splits == {"val": ["b", "d"], "train_aug": ["a", "c"]}
    assert set(source.masks) == {"a", "b", "c", "d"}


@pytest.mark.parametrize("split", ["val", "test", "dev"])
def test_scored_images_are_not_trained_on(folder, split):
    (folder / "splits/train_aug.txt").write_text("a\nb\nc\n")
    (folder / f"splits/{split}.txt").write_text("c\nd\n")
    with pytest.raises(UserError, match=f"1 image in both train_aug and {split} of"):
        read(folder, (split,))


@pytest.mark.parametrize("split", ["train", "train_small", "train_aug"])
def test_training_images_may_be_scored(folder, split):
    (folder / "splits/train_aug.txt").write_text("a\nb\nc\n")
    (folder / f"splits/{split}.txt").write_text("a\nb\nc\n")
    assert read(folder, (split,))[0].splits[split] == ["a", "b", "c"]


def test_jobs_follow_from_the_number_of_images(folder):
    def jobs(scored, **lists):
        for split, size in lists.items():
            names = "".join(f"{split[:1]}{number}\n" for number in range(size))
            (folder / f"splits/{split}.txt").write_text(names)
        config = DatasetConfig(name="x", source="folder", folder=str(folder))
        return jobs_by_part(config, scored_splits=scored)

    assert jobs([]) == {"eval": 1, "train_only": 1, "test": 1}
    lists = {"train_aug": 1900, "train": 700, "val": 40, "test": 10}
    assert jobs(["train", "val"], **lists) == {"eval": 2, "train_only": 2, "test": 1}
    assert jobs(["train", "val"], train=1900) == {"eval": 4, "train_only": 0, "test": 1}


@pytest.mark.parametrize(
    ("source", "scored", "jobs"),
    [
        ("voc", ["train", "val"], (5, 16, 3)),
        ("voc", ["val"], (3, 18, 3)),
        ("voc", [], (1, 18, 3)),
        ("demo", ["train", "val"], (1, 0, 1)),
        ("demo", ["val"], (1, 1, 1)),
    ],
)
def test_jobs_of_known_datasets(source, scored, jobs):
    found = jobs_by_part(DatasetConfig(name="x", source=source), scored_splits=scored)
    assert tuple(found.values()) == jobs


def test_a_class_name_is_no_text():
    assert read_class_name("x" * 100) == "x" * 100
    with pytest.raises(BadNameError, match=r"^'x+'\.\.\., too long; expected 100 letters at most$"):
        read_class_name("x" * 200_000)
