import pytest

from wsss_core.data.mask_files import find_masks
from wsss_core.runtime.errors import UserError


def test_masks_of_all_shards_by_their_images(tmp_path):
    for path in ("0/a b.png", "1/c.png", "1/notes.txt"):
        (tmp_path / path).parent.mkdir(exist_ok=True)
        (tmp_path / path).touch()
    masks = find_masks([tmp_path / "0", tmp_path / "1"])
    assert masks == {"a b": tmp_path / "0/a b.png", "c": tmp_path / "1/c.png"}


def test_a_missing_directory_is_named(tmp_path):
    with pytest.raises(UserError, match="nowhere: no such directory, expected masks named"):
        find_masks([tmp_path / "nowhere"])


def test_two_masks_of_one_image_are_named(tmp_path):
    for path in ("0/a.png", "1/a.png"):
        (tmp_path / path).parent.mkdir()
        (tmp_path / path).touch()
    with pytest.raises(UserError, match=r"1/a\.png: there is a mask .*0/a\.png already"):
        find_masks([tmp_path / "0", tmp_path / "1"])
