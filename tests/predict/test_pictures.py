"""Tests of which files a command line stands for."""

from pathlib import Path

import pytest

from wsss_core.predict.pictures import Picture, find_pictures
from wsss_core.runtime.errors import UserError


def _touch(folder: Path, *names: str) -> None:
    folder.mkdir(exist_ok=True)
    for name in names:
        (folder / name).touch()


def test_files_and_folders_may_be_mixed(tmp_path: Path, capsys) -> None:
    _touch(tmp_path / "a", "z.PNG", "ä b.jpeg", "x.1.webp", "notes.txt", ".hidden.jpg")
    _touch(tmp_path / "a" / "deeper", "z.jpg")
    _touch(tmp_path / "a" / ".git", "no.jpg")
    _touch(tmp_path / "a" / "out", "no.jpg")
    _touch(tmp_path / "b", "scan")  # a file that is named is taken at its word
    found = find_pictures(
        [tmp_path / "b" / "scan", tmp_path / "a", tmp_path / "a" / "z.PNG"],
        output=tmp_path / "a" / "out",
    )
    assert [picture.name for picture in found] == ["scan", "deeper/z", "x.1", "z", "ä b"]
    assert found[3] == Picture("z", tmp_path / "a" / "z.PNG")
    assert capsys.readouterr().err == (
        f"{tmp_path}/a: skipped, no picture's extension: notes.txt\n"
    )


def test_mistakes_are_told(tmp_path: Path) -> None:
    _touch(tmp_path / "a", "x.jpg")
    _touch(tmp_path / "b", "x.png")
    _touch(tmp_path / "c", "notes.txt")
    expected = r"a/x\.jpg and .*b/x\.png would both become x\.png; expected names that differ"
    with pytest.raises(UserError, match=expected):
        find_pictures([tmp_path / "a", tmp_path / "b"], output=tmp_path / "out")
    with pytest.raises(UserError, match=r"d: no such file or folder; expected pictures"):
        find_pictures([tmp_path / "d"], output=tmp_path / "out")
    with pytest.raises(UserError, match=r"c: no picture in this folder; expected \.jpg, \.jpeg"):
        find_pictures([tmp_path / "c"], output=tmp_path / "out")
