"""Tests of unpacking: archives in the official layouts, and archives that are not."""

import tarfile
import tempfile
import threading
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.download.tiny_archives import (
    SBD,
    SBD_NAMES,
    VOC,
    VOC_NAMES,
    archive_of,
    content_of,
    member,
    sbd_bytes,
    voc_bytes,
)
from tests.runtime.small_disk import small_disk
from wsss_core.download import unpack as module
from wsss_core.download.unpack import is_unpacked, unpack
from wsss_core.runtime.errors import UserError


def files(directory):
    return sorted(
        path.relative_to(directory).as_posix() for path in directory.rglob("*") if path.is_file()
    )


def write(directory, content):
    path = directory / "x.tar"
    path.write_bytes(content)
    return path


def failure(archive, path, directory):
    with pytest.raises(UserError) as error:
        unpack(archive, path, directory=directory)
    assert "\n" not in str(error.value)
    return str(error.value)


def test_only_what_is_needed_of_voc(tmp_path):
    content = voc_bytes()
    root = unpack(archive_of(content), write(tmp_path, content), directory=tmp_path)
    assert root == tmp_path / "voc_trainval" / VOC
    needed = [
        name
        for name in VOC_NAMES
        if not name.startswith(("ImageSets/Action", "ImageSets/Main", "SegmentationObject"))
    ]
    assert files(root) == needed
    for name in needed:
        assert (root / name).read_bytes() == content_of(name)


def test_only_what_is_needed_of_sbd(tmp_path):
    content = sbd_bytes()
    archive = archive_of(content, name="sbd")
    root = unpack(archive, write(tmp_path, content), directory=tmp_path)
    assert root == tmp_path / "sbd" / SBD
    assert files(root) == [name for name in SBD_NAMES if not name.startswith(("img", "inst"))]
    assert (root / "train.txt").read_bytes() == content_of("train.txt")


def test_done_once_and_the_archive_may_go(tmp_path):
    content = voc_bytes()
    archive, path = archive_of(content), write(tmp_path, content)
    root = unpack(archive, path, directory=tmp_path)
    before = (root / "Annotations").stat().st_ino
    path.unlink()
    for source in (path, None):
        assert unpack(archive, source, directory=tmp_path) == root
    assert (root / "Annotations").stat().st_ino == before


@pytest.mark.parametrize("change", ["file gone", "other checksum", "more wanted"])
def test_done_again_if_it_is_not_what_is_needed(tmp_path, change):
    content = voc_bytes()
    archive, path = archive_of(content), write(tmp_path, content)
    root = unpack(archive, path, directory=tmp_path)
    if change == "file gone":
        (root / "JPEGImages/2007_000027.jpg").unlink()
    elif change == "other checksum":
        archive = archive_of(content, checksum="md5:0")
    else:
        archive = archive_of(content, members={**archive.members, "ImageSets/Main/*.txt": 1})
    assert not is_unpacked(archive, tmp_path)
    unpack(archive, path, directory=tmp_path)
    assert is_unpacked(archive, tmp_path)
    assert (root / "ImageSets/Main/train.txt").exists() == (change == "more wanted")


def test_missing_archive(tmp_path):
    archive = archive_of(voc_bytes())
    gone = tmp_path / "voc_trainval.tar"
    expected = f"{gone} is missing, though it existed before; {module.REPLACE}"
    assert failure(archive, None, tmp_path) == expected
    assert failure(archive, gone, tmp_path) == expected


DANGEROUS = {
    "../outside.jpg": {"size": 3},
    f"{VOC}/JPEGImages/../../../../outside.jpg": {"size": 3},
    "/outside.jpg": {"size": 3},
    f"/{VOC}/JPEGImages/2007_000027.jpg": {"size": 3},
    f"{VOC}/JPEGImages/link.jpg": {"type": tarfile.SYMTYPE, "linkname": "/etc/passwd"},
    f"{VOC}/JPEGImages/hard.jpg": {"type": tarfile.LNKTYPE, "linkname": f"{VOC}/a"},
    f"{VOC}/JPEGImages": {"type": tarfile.SYMTYPE, "linkname": "../../.."},
    "VOCdevkit": {"type": tarfile.SYMTYPE, "linkname": ".."},
    f"{VOC}/JPEGImages/pipe.jpg": {"type": tarfile.FIFOTYPE},
    f"{VOC}/JPEGImages/disk.jpg": {"type": tarfile.BLKTYPE},
    f"{VOC}/JPEGImages/null.jpg": {"type": tarfile.CHRTYPE},
}


@pytest.mark.parametrize("name", DANGEROUS)
def test_dangerous_member_is_named_and_nothing_is_written(tmp_path, name):
    content = voc_bytes(member(name, **DANGEROUS[name]))
    directory = tmp_path / "a" / "b" / "c" / "d"
    message = failure(archive_of(content), write(tmp_path, content), directory)
    assert message.startswith(f"{tmp_path / 'x.tar'}: member {name!r} ")
    assert "so nothing of it is unpacked" in message
    assert [name for name in files(tmp_path) if not name.endswith(".lock")] == ["x.tar"]


def test_links_and_devices_that_nobody_reads_are_not_made(tmp_path):
    link = member("manual/link", type=tarfile.SYMTYPE, linkname="/etc/passwd")
    content = voc_bytes(link, member("manual/pipe", type=tarfile.FIFOTYPE))
    unpack(archive_of(content), write(tmp_path, content), directory=tmp_path)
    assert not list(tmp_path.rglob("manual*"))


@given(
    st.lists(st.sampled_from(["..", ".", "", "a", "VOCdevkit", "VOC2012", "JPEGImages", "x.jpg"]))
)
def test_nothing_is_ever_written_outside(parts):
    name = "/".join(parts)
    content = voc_bytes(member(name, size=0))
    archive = archive_of(content, members={"JPEGImages/*.jpg": None})
    with tempfile.TemporaryDirectory() as temporary:
        path, directory = write(Path(temporary), content), Path(temporary, "a/b/c/d/e/f/g/h")
        try:
            unpack(archive, path, directory=directory)
        except UserError:
            assert name.startswith("/") or ".." in parts
        else:
            tarfile.data_filter(member(name, size=0), "/target")  # Python's own check agrees
        outside = [Path(temporary, name) for name in files(Path(temporary))]
        assert [path for path in outside if not path.is_relative_to(directory)] == [path]


@pytest.mark.parametrize(
    ("missing", "expected"),
    [
        ("JPEGImages/2007_000027.jpg", "1 members VOCdevkit/VOC2012/JPEGImages/*.jpg, expected 2"),
        (
            "ImageSets/Segmentation/val.txt",
            "2 members VOCdevkit/VOC2012/ImageSets/Segmentation/*.txt, expected 3",
        ),
    ],
)
def test_incomplete_archive(tmp_path, missing, expected):
    content = voc_bytes(names=[name for name in VOC_NAMES if name != missing])
    path = write(tmp_path, content)
    assert failure(archive_of(content), path, tmp_path / "out") == (
        f"{path} is not voc_trainval.tar, or not all of it: {expected}; {module.REPLACE}"
    )
    assert files(tmp_path / "out") == [".voc_trainval.lock"]


def test_archive_of_something_else(tmp_path):
    content = sbd_bytes()
    message = failure(archive_of(content), write(tmp_path, content), tmp_path / "out")
    assert message.count("0 members") == 4


def test_a_count_that_is_not_known_must_not_be_zero(tmp_path):
    content = voc_bytes()
    path = write(tmp_path, content)
    unpack(archive_of(content, members={"JPEGImages/*.jpg": None}), path, directory=tmp_path)
    archive = archive_of(content, members={"JPEGImages/*.jpeg": None})
    assert "0 members VOCdevkit/VOC2012/JPEGImages/*.jpeg, expected some" in failure(
        archive, path, tmp_path
    )


def test_two_members_of_a_name(tmp_path):
    content = voc_bytes(member(f"{VOC}/JPEGImages/2007_000027.jpg", size=3))
    path = write(tmp_path, content)
    message = failure(archive_of(content), path, tmp_path / "out")
    assert message == f"{path} has two members for 2007_000027.jpg; expected one"


@pytest.mark.parametrize("kind", ["tar", "tgz"])
@pytest.mark.parametrize("share", [0.0, 0.001, 0.3, 0.7])
def test_truncated(tmp_path, kind, share):
    content = voc_bytes() if kind == "tar" else sbd_bytes()
    archive = archive_of(content, name="voc_trainval" if kind == "tar" else "sbd")
    path = write(tmp_path, content[: int(share * len(content))])
    message = failure(archive, path, tmp_path / "out")
    assert message.startswith(str(path))
    assert "damaged or cut off" in message or "not all of it" in message


def test_damaged_in_the_middle(tmp_path):
    content = bytearray(sbd_bytes())
    content[len(content) // 2 : len(content) // 2 + 100] = bytes(100)
    path = write(tmp_path, bytes(content))
    message = failure(archive_of(bytes(content), name="sbd"), path, tmp_path / "out")
    assert "is damaged or cut off" in message or "not all of it" in message


def test_no_archive_at_all(tmp_path):
    path = write(tmp_path, b"<html>not found</html>" * 100)
    assert "is damaged or cut off" in failure(archive_of(b"x"), path, tmp_path / "out")


def test_earlier_good_data_stay_when_the_next_fails(tmp_path):
    content = voc_bytes()
    root = unpack(archive_of(content), write(tmp_path, content), directory=tmp_path)
    before = files(root)
    path = write(tmp_path, content[: len(content) // 2])
    failure(archive_of(content, checksum="md5:0"), path, tmp_path)
    assert files(root) == before


def test_disk_that_fills_up(tmp_path, monkeypatch):
    content = voc_bytes()
    archive, path = archive_of(content), write(tmp_path, content)

    def full(*arguments):
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(module.shutil, "copyfileobj", full)
        assert failure(archive, path, tmp_path / "out") == (
            f"{tmp_path / 'out'}: No space left on device; expected more space there, or on the "
            "disk of another archives.directory; the archive is kept, and what was unpacked earlier"
        )
    assert files(tmp_path / "out") == [".voc_trainval.lock"]
    unpack(archive, path, directory=tmp_path / "out")


@pytest.mark.parametrize("pages", range(5, 14))
def test_a_small_disk_that_is_enlarged(tmp_path, pages):
    """Five pages are what is there already; nine more are needed, of each file and the stamp."""
    directory = tmp_path / "out"
    with small_disk(directory, f"size={4 * pages}k") as remount:
        sbd = archive_of(sbd_bytes(), name="sbd")
        root = unpack(sbd, write(tmp_path, sbd_bytes()), directory=directory)
        before = {name: (root / name).read_bytes() for name in files(root)}
        voc, path = archive_of(voc_bytes()), write(tmp_path, voc_bytes())
        message = failure(voc, path, directory)
        assert message.startswith(f"{directory}: No space left on device")
        assert message.endswith("the archive is kept, and what was unpacked earlier")
        assert {name: (root / name).read_bytes() for name in files(root)} == before
        assert {name.split("/")[0] for name in files(directory)} == {
            ".sbd.lock",
            ".voc_trainval.lock",
            "sbd",
        }
        assert is_unpacked(sbd, directory)
        remount("size=1m")
        unpack(voc, path, directory=directory)
        assert is_unpacked(voc, directory)


def test_a_disk_that_may_not_be_written(tmp_path):
    with small_disk(tmp_path / "out", "ro"):
        message = failure(archive_of(voc_bytes()), write(tmp_path, voc_bytes()), tmp_path / "out")
        assert message.startswith(f"{tmp_path / 'out'}: Read-only file system at ")
        assert message.endswith("; expected an archives.directory that can be written")


def test_directory_that_cannot_be_written(tmp_path):
    (tmp_path / "out").touch()
    content = voc_bytes()
    message = failure(archive_of(content), write(tmp_path, content), tmp_path / "out")
    assert message.startswith(f"{tmp_path / 'out'}: File exists at ")


def test_two_runs_at_once_unpack_once(tmp_path, monkeypatch):
    content = voc_bytes()
    archive, path = archive_of(content), write(tmp_path, content)
    done = []
    extract = module.extract
    monkeypatch.setattr(module, "extract", lambda *arguments: (done.append(1), extract(*arguments)))
    runs = [
        threading.Thread(target=unpack, args=(archive, path), kwargs={"directory": tmp_path})
        for _ in range(3)
    ]
    for run in runs:
        run.start()
    for run in runs:
        run.join()
    assert done == [1]
    assert is_unpacked(archive, tmp_path)
