"""Tests of archives from files and mirrors: which one is used, and what remains of a bad one."""

import hashlib
import os
import subprocess
import sys
import textwrap
import threading
from collections import namedtuple

import pytest

from tests.download import archive_server as answers
from tests.download.archive_server import serving
from tests.download.tiny_archives import archive_of
from tests.runtime.small_disk import small_disk
from wsss_core.download import disk, http
from wsss_core.download.archive import obtain
from wsss_core.runtime import lock
from wsss_core.runtime.atomic import partial_path
from wsss_core.runtime.errors import UserError

CONTENT = os.urandom(50_000)
OTHER = os.urandom(50_000)


@pytest.fixture(autouse=True)
def _quick(monkeypatch):
    monkeypatch.setattr(http, "FIRST_PAUSE", 0.01)
    monkeypatch.setattr(lock, "POLL_INTERVAL", 0.01)


@pytest.fixture
def server():
    with serving() as running:
        yield running


@pytest.fixture
def directory(tmp_path):
    return tmp_path / "data" / "archives"


def get(archive, directory, *sources):
    return obtain(archive, sources=sources or ("download",), directory=directory)


def failure(archive, directory, *sources):
    with pytest.raises(UserError) as error:
        get(archive, directory, *sources)
    assert "\n" not in str(error.value)
    return str(error.value)


def names(directory):
    return sorted(path.name for path in directory.iterdir() if path.suffix != ".lock")


def partial(directory, content):
    directory.mkdir(parents=True)
    partial_path(directory / "voc_trainval.tar").write_bytes(content)


def test_downloaded_once(server, directory):
    archive = archive_of(CONTENT, server.offer("/x.tar", CONTENT))
    for _ in range(2):
        path = get(archive, directory)
        assert path == directory / "voc_trainval.tar"
        assert path.read_bytes() == CONTENT
    assert names(directory) == ["voc_trainval.tar"]
    assert len(server.requests) == 1


def test_mirrors_in_turn(server, directory, capsys):
    urls = [
        server.offer("/gone", b"", answers.status(404)),
        server.offer("/forbidden", b"", answers.status(403)),
        server.offer("/down", b"", answers.status(503)),
        server.offer("/short", CONTENT[:9]),
        server.offer("/good", CONTENT),
        server.offer("/never", CONTENT),
    ]
    get(archive_of(CONTENT, *urls), directory)
    asked = [path for path, _ in server.requests]
    assert list(dict.fromkeys(asked)) == ["/gone", "/forbidden", "/down", "/short", "/good"]
    told = capsys.readouterr().err
    assert f"{urls[0]} 404 Not Found\n" in told
    assert f"{urls[3]} has 9 bytes, expected 50,000\n" in told


def test_next_mirror_goes_on_with_what_the_last_one_gave(server, directory):
    first = server.offer("/first", CONTENT, answers.cut_after(20_000), answers.status(404))
    get(archive_of(CONTENT, first, server.offer("/second", CONTENT)), directory)
    assert server.requests[-1] == ("/second", "bytes=20000-")
    assert (directory / "voc_trainval.tar").read_bytes() == CONTENT


def test_next_run_goes_on_with_what_the_last_one_left(server, directory):
    url = server.offer("/x", CONTENT, answers.cut_after(20_000), answers.status(404))
    archive = archive_of(CONTENT, url)
    assert failure(archive, directory) == (
        f"voc_trainval.tar could not be obtained: {url} 404 Not Found; expected the file, or an "
        "address that has it, as archives.voc_trainval in the config"
    )
    server.plans["/x"] = [answers.whole]
    get(archive, directory)
    assert server.requests[-1] == ("/x", "bytes=20000-")


def test_wrong_content_is_thrown_away_and_the_next_mirror_starts_afresh(server, directory, capsys):
    bad = server.offer("/bad", OTHER)
    get(archive_of(CONTENT, bad, server.offer("/good", CONTENT)), directory)
    assert server.requests == [("/bad", None), ("/good", None)]
    told = [line for line in capsys.readouterr().err.splitlines() if line.startswith(bad)]
    assert len(told) == 1
    assert told[0].startswith(f"{bad} has the md5 ")
    assert told[0].endswith("; discarded")


def test_wrong_bytes_of_an_earlier_run_are_not_the_mirrors_fault(server, directory, capsys):
    partial(directory, OTHER[:10_000])
    get(archive_of(CONTENT, server.offer("/x", CONTENT)), directory)
    assert server.requests == [("/x", "bytes=10000-"), ("/x", None)]
    assert (directory / "voc_trainval.tar").read_bytes() == CONTENT
    assert "begun by an earlier attempt, has the md5" in capsys.readouterr().err


def test_bad_mirror_after_bad_bytes(server, directory):
    partial(directory, OTHER[:10_000])
    message = failure(archive_of(CONTENT, server.offer("/x", OTHER)), directory)
    assert "/x has the md5 " in message
    assert names(directory) == []


@pytest.mark.parametrize("content", [CONTENT, CONTENT + b"!"])
def test_what_was_left_complete_or_too_long(server, directory, content):
    partial(directory, content)
    get(archive_of(CONTENT, server.offer("/x", CONTENT)), directory)
    assert names(directory) == ["voc_trainval.tar"]
    assert len(server.requests) == (content != CONTENT)


def test_a_disk_without_room_is_told_before_anything_is_asked_for(server, directory):
    with small_disk(directory, "size=40k"):
        message = failure(archive_of(CONTENT, server.offer("/x", CONTENT)), directory)
        assert message == (
            f"{directory}: 40,960 bytes are free; expected 50,000 for the rest of "
            "voc_trainval.tar, or another archives.directory"
        )
        assert names(directory) == []
    assert server.requests == []


def test_a_disk_that_fills_up_on_the_way_and_is_enlarged(server, directory):
    """By something else: that the archive alone has no room is told before."""
    with small_disk(directory, "size=160k") as remount:
        good = archive_of(OTHER, server.offer("/other", OTHER), name="sbd")
        get(good, directory)

        def last_pages(handler, content):
            (directory / "of somebody else").write_bytes(bytes(15 * 4096))
            answers.whole(handler, content)

        archive = archive_of(CONTENT, server.offer("/x", CONTENT, last_pages, answers.whole))
        assert failure(archive, directory) == (
            f"{directory}: No space left on device; expected more space there, or on the disk of "
            "another archives.directory; what was downloaded is kept, and the next run goes on"
        )
        kept = partial_path(directory / "voc_trainval.tar").read_bytes()
        assert 0 < len(kept) < len(CONTENT)
        assert CONTENT.startswith(kept)
        assert (directory / "benchmark.tgz").read_bytes() == OTHER
        remount("size=1m")
        assert get(archive, directory).read_bytes() == CONTENT
        assert server.requests[-1] == ("/x", f"bytes={len(kept)}-")
        assert names(directory) == ["benchmark.tgz", "of somebody else", "voc_trainval.tar"]


def test_a_disk_that_may_not_be_written(server, directory):
    with small_disk(directory, "ro"):
        message = failure(archive_of(CONTENT, server.offer("/x", CONTENT)), directory)
        assert message.startswith(f"{directory}: Read-only file system at ")
        assert message.endswith("; expected an archives.directory that can be written")


def test_damaged_archive_is_not_touched(server, directory):
    directory.mkdir(parents=True)
    target = directory / "voc_trainval.tar"
    target.write_bytes(CONTENT[:100])
    message = failure(archive_of(CONTENT, server.offer("/x", CONTENT)), directory)
    assert message == (f"{target} has 100 bytes, expected 50,000; delete it to download it again")
    assert target.read_bytes() == CONTENT[:100]
    assert server.requests == []


@pytest.mark.parametrize("form", ["{}", "file://{}"])
def test_file_of_the_user_stays_where_it_is(directory, tmp_path, form):
    path = tmp_path / "with space.tar"
    path.write_bytes(CONTENT)
    source = form.format(path).replace(" ", "%20" if "file" in form else " ")
    assert get(archive_of(CONTENT), directory, source) == path
    assert not directory.exists()


@pytest.mark.parametrize(
    ("spoil", "expected"),
    [
        (lambda path: None, "is missing"),
        (lambda path: path.mkdir(), "is a directory, expected the archive as it was published"),
        (lambda path: path.write_bytes(CONTENT[:7]), "has 7 bytes, expected 50,000"),
        (lambda path: path.write_bytes(OTHER), "has the md5 "),
    ],
)
def test_wrong_file_of_the_user(directory, tmp_path, spoil, expected):
    path = tmp_path / "mine.tar"
    spoil(path)
    message = failure(archive_of(CONTENT), directory, str(path))
    assert message.startswith(f"voc_trainval.tar could not be obtained: {path} {expected}")


def test_files_first_then_addresses_then_the_shipped_ones(server, directory, tmp_path, capsys):
    archive = archive_of(CONTENT, server.offer("/shipped", CONTENT))
    mine = server.offer("/mine", CONTENT, answers.status(404))
    get(archive, directory, mine, str(tmp_path / "missing.tar"), "download")
    assert [path for path, _ in server.requests] == ["/mine", "/shipped"]
    assert f"{tmp_path / 'missing.tar'} is missing; downloading it\n" in capsys.readouterr().err


def test_sha256_serves_too(server, directory):
    checksum = f"sha256:{hashlib.sha256(CONTENT).hexdigest()}"
    get(archive_of(CONTENT, server.offer("/x", CONTENT), checksum=checksum), directory)


def test_two_runs_at_once_download_once(server, directory, capsys):
    archive = archive_of(CONTENT, server.offer("/x", CONTENT, answers.slowly(0.3)))
    runs = [threading.Thread(target=get, args=(archive, directory)) for _ in range(2)]
    for run in runs:
        run.start()
    for run in runs:
        run.join()
    assert len(server.requests) == 1
    assert (directory / "voc_trainval.tar").read_bytes() == CONTENT
    waiting = f"{directory / 'voc_trainval.tar'}: waiting for another run that is making it\n"
    assert waiting in capsys.readouterr().err


def test_killed_run_locks_nobody_out(server, directory):
    url = server.offer("/x", CONTENT, answers.stall_after(20_000, seconds=5), answers.whole)
    archive = archive_of(CONTENT, url)
    program = textwrap.dedent("""
        import sys
        from pathlib import Path
        from wsss_core.download.archive_table import Archive
        from wsss_core.download.archive import obtain
        archive = Archive.model_validate_json(sys.argv[1])
        obtain(archive, sources=["download"], directory=Path(sys.argv[2]))
    """)
    command = [sys.executable, "-c", program, archive.model_dump_json(), str(directory)]
    run = subprocess.Popen(command, env={**os.environ, "PYTHONPATH": "."})
    left = partial_path(directory / "voc_trainval.tar")
    while not (left.exists() and left.stat().st_size == 20_000):
        assert run.poll() is None
    run.kill()
    run.wait()
    get(archive, directory)
    assert server.requests == [("/x", None), ("/x", "bytes=20000-")]


def test_too_little_space_is_told_before_anything_is_asked_for(server, directory, monkeypatch):
    usage = namedtuple("usage", "free")
    monkeypatch.setattr(disk.shutil, "disk_usage", lambda path: usage(29_999))
    partial(directory, CONTENT[:20_000])
    archive = archive_of(CONTENT, server.offer("/x", CONTENT))
    assert failure(archive, directory) == (
        f"{directory}: 29,999 bytes are free; expected 30,000 for the rest of voc_trainval.tar, "
        "or another archives.directory"
    )
    assert server.requests == []
    monkeypatch.setattr(disk.shutil, "disk_usage", lambda path: usage(30_000))
    get(archive, directory)


def test_disk_that_fills_up_meanwhile(server, directory):
    """Here it is full from the first byte, which takes no root."""
    archive = archive_of(CONTENT, server.offer("/x", CONTENT))
    directory.mkdir(parents=True)
    full = partial_path(directory / "voc_trainval.tar")
    full.symlink_to("/dev/full")
    assert failure(archive, directory) == (
        f"{directory}: No space left on device; expected more space there, or on the disk of "
        "another archives.directory; what was downloaded is kept, and the next run goes on"
    )
    full.unlink()
    assert get(archive, directory).read_bytes() == CONTENT


def test_directory_that_cannot_be_made(server, tmp_path):
    (tmp_path / "data").write_text("a file")
    directory = tmp_path / "data" / "archives"
    message = failure(archive_of(CONTENT, server.offer("/x", CONTENT)), directory)
    assert message == (
        f"{directory}: Not a directory at {directory}; expected an archives.directory that can be "
        "written"
    )
