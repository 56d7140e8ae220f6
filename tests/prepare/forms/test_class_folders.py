"""Tests of labels by class folders."""

import shutil

import pytest

from tests.prepare.forms.pictures import read, tags_of, write_picture
from wsss_core.runtime.errors import UserError


@pytest.mark.parametrize("place", [".", "images"])
def test_folders_name_the_classes(tmp_path, place):
    root = tmp_path / place
    write_picture(root / "cats/a.jpg", seed=1)
    write_picture(root / "cats/Garten süd.PNG", seed=2)
    write_picture(root / "dogs/c.webp", seed=3)
    write_picture(root / "dogs/puppies/d.tif", seed=4)
    (root / "dogs/._c.webp").touch()
    (root / "dogs/notes.txt").touch()
    source, warnings = read(tmp_path)
    assert source.class_names == ("cats", "dogs")
    expected = {"a": {"cats"}, "Garten süd": {"cats"}, "c": {"dogs"}, "d": {"dogs"}}
    assert tags_of(source) == expected
    assert source.splits == {"train_aug": sorted(expected)}
    assert source.images["d"] == root / "dogs/puppies/d.tif"
    assert warnings == []


def test_a_picture_in_two_folders_has_both_tags(tmp_path):
    write_picture(tmp_path / "cats/a.jpg", seed=1)
    write_picture(tmp_path / "cats/b.jpg", seed=2)
    write_picture(tmp_path / "dogs/c.jpg", seed=3)
    shutil.copy(tmp_path / "cats/a.jpg", tmp_path / "dogs/a.jpg")
    shutil.copy(tmp_path / "cats/b.jpg", tmp_path / "dogs/other name.jpg")
    source, _ = read(tmp_path)
    assert tags_of(source) == {"a": {"cats", "dogs"}, "b": {"cats", "dogs"}, "c": {"dogs"}}


def test_different_pictures_of_one_name_are_two(tmp_path):
    for seed, folder in enumerate(("cats", "dogs")):
        write_picture(tmp_path / folder / "001.jpg", seed=seed)
        write_picture(tmp_path / folder / f"{folder}.jpg", seed=10 + seed)
    source, _ = read(tmp_path)
    assert tags_of(source) == {
        "cats-001": {"cats"}, "dogs-001": {"dogs"}, "cats": {"cats"}, "dogs": {"dogs"},
    }  # fmt: skip


def test_names_of_folders_are_class_names(tmp_path):
    write_picture(tmp_path / "cats/a.jpg", seed=1)
    write_picture(tmp_path / "seed/b.jpg", seed=2)
    with pytest.raises(UserError, match="b.jpg: the tag is 'seed', a column name in tables of"):
        read(tmp_path)


def test_loose_pictures_are_left_out(tmp_path):
    write_picture(tmp_path / "cats/a.jpg", seed=1)
    write_picture(tmp_path / "b.jpg", seed=2)
    source, _ = read(tmp_path)
    assert source.left_out == ("pictures outside the classes' folders: b.jpg",)


def test_splits_are_no_classes(tmp_path):
    write_picture(tmp_path / "train/cats/a.jpg", seed=1)
    write_picture(tmp_path / "Val/cats/b.jpg", seed=2)
    with pytest.raises(UserError, match="has the folder 'Val', which names a split, not a"):
        read(tmp_path)
    assert tags_of(read(tmp_path / "train")[0]) == {"a": {"cats"}}
