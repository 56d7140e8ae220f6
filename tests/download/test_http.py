"""Tests of downloads from a correct server and from faulty servers."""

import gzip
import os

import pytest

from tests.download import archive_server as answers
from tests.download.archive_server import serving
from wsss_core.download import http as module
from wsss_core.download.http import SourceError, download

CONTENT = os.urandom(300_000)
PATH = "/a/x.tar"


@pytest.fixture(autouse=True)
def _quick(monkeypatch):
    monkeypatch.setattr(module, "FIRST_PAUSE", 0.01)


@pytest.fixture
def server():
    with serving() as running:
        yield running


@pytest.fixture
def partial(tmp_path):
    return tmp_path / ".x.partial.tar"


def ranges(server):
    return [asked for _, asked in server.requests]


def test_whole_file_in_one_request(server, partial):
    download(server.offer(PATH, CONTENT), partial, size=len(CONTENT))
    assert partial.read_bytes() == CONTENT
    assert ranges(server) == [None]


def test_what_is_there_is_not_asked_for_again(server, partial):
    partial.write_bytes(CONTENT[:100_000])
    download(server.offer(PATH, CONTENT), partial, size=len(CONTENT))
    assert partial.read_bytes() == CONTENT
    assert ranges(server) == ["bytes=100000-"]


def test_whole_file_that_is_there_asks_for_nothing(server, partial):
    partial.write_bytes(CONTENT)
    download(server.offer(PATH, CONTENT), partial, size=len(CONTENT))
    assert ranges(server) == []


def test_goes_on_after_each_cut_however_many(server, partial):
    url = server.offer(PATH, CONTENT, *[answers.cut_after(30_000)] * 9, answers.whole)
    download(url, partial, size=len(CONTENT))
    assert partial.read_bytes() == CONTENT
    assert ranges(server) == [None, *(f"bytes={30_000 * i}-" for i in range(1, 10))]


def test_server_that_ignores_ranges_starts_over_but_loses_nothing(server, partial):
    partial.write_bytes(CONTENT[:200_000])
    cut = answers.ignoring_ranges_cut_after(50_000)
    url = server.offer(PATH, CONTENT, cut, answers.ignoring_ranges)
    download(url, partial, size=len(CONTENT))
    assert partial.read_bytes() == CONTENT
    assert ranges(server) == ["bytes=200000-"] * 2


def test_bytes_that_came_before_a_cut_are_kept_at_the_end(server, partial):
    url = server.offer(PATH, CONTENT, answers.cut_after(1000), answers.status(404))
    with pytest.raises(SourceError, match="^404 Not Found$"):
        download(url, partial, size=len(CONTENT))
    assert partial.read_bytes() == CONTENT[:1000]


@pytest.mark.parametrize("code", [403, 404, 410])
def test_refused_at_once(server, partial, code):
    with pytest.raises(SourceError, match=f"^{code} "):
        download(server.offer(PATH, CONTENT, answers.status(code)), partial, size=len(CONTENT))
    assert len(server.requests) == 1
    assert not partial.exists()


@pytest.mark.parametrize("code", [408, 429, 500, 503])
def test_what_may_pass_is_tried_again(server, partial, code, capsys):
    url = server.offer(PATH, CONTENT, answers.status(code), answers.status(code), answers.whole)
    download(url, partial, size=len(CONTENT))
    assert partial.read_bytes() == CONTENT
    assert capsys.readouterr().err.count("; retrying in ") == 2


def test_not_for_ever(server, partial):
    with pytest.raises(SourceError, match="^503 Service Unavailable, after 5 attempts$"):
        download(server.offer(PATH, CONTENT, answers.status(503)), partial, size=len(CONTENT))
    assert len(server.requests) == 5


def test_pauses_double_and_the_server_may_ask_for_longer_ones(server, partial, monkeypatch):
    pauses = []
    monkeypatch.setattr(module.time, "sleep", pauses.append)
    monkeypatch.setattr(module, "FIRST_PAUSE", 1.0)
    plan = [
        answers.status(503),
        answers.status(503),
        answers.status(503, Retry_After=7),
        answers.status(429, Retry_After=86400),
        answers.whole,
    ]
    download(server.offer(PATH, CONTENT, *plan), partial, size=len(CONTENT))
    assert pauses == [1.0, 2.0, 7.0, module.LONGEST_PAUSE]


def test_stalled_connection_is_given_up_and_the_file_goes_on(server, partial, monkeypatch):
    monkeypatch.setattr(module, "STALL_TIMEOUT", 0.2)
    url = server.offer(PATH, CONTENT, answers.stall_after(5000, seconds=1), answers.whole)
    download(url, partial, size=len(CONTENT))
    assert partial.read_bytes() == CONTENT
    assert ranges(server) == [None, "bytes=5000-"]


def test_no_server(partial):
    with serving() as server:
        url = server.offer(PATH, CONTENT)
    with pytest.raises(SourceError, match=r"^no answer \(.*refused.*\), after 5 attempts$"):
        download(url, partial, size=len(CONTENT))


def test_redirects_are_followed(server, partial):
    url = server.offer("/new/x.tar", CONTENT)
    old = server.offer(PATH, b"", answers.redirect(url))
    download(old, partial, size=len(CONTENT))
    assert partial.read_bytes() == CONTENT


def test_length_need_not_be_known(server, partial):
    download(server.offer(PATH, CONTENT, answers.chunked), partial, size=len(CONTENT))
    assert partial.read_bytes() == CONTENT


def test_compressed_file_is_left_as_it_is(server, partial):
    content = gzip.compress(CONTENT)
    download(server.offer(PATH, content, answers.encoded), partial, size=len(content))
    assert partial.read_bytes() == content


@pytest.mark.parametrize(
    ("there", "offered", "answer", "expected"),
    [
        (0, CONTENT[:1000], answers.whole, "has 1,000 bytes, expected 300,000"),
        (500, CONTENT[:1000], answers.whole, "has 1,000 bytes, expected 300,000"),
        (2000, CONTENT[:1000], answers.whole, "has no more than 2,000 bytes, expected 300,000"),
        (0, CONTENT + b"!", answers.whole, "has 300,001 bytes, expected 300,000"),
        (0, CONTENT + b"!", answers.chunked, "sends more than the expected 300,000 bytes"),
        (0, CONTENT, answers.web_page, "answered with a web page, perhaps a login page"),
        (9, CONTENT, answers.other_range, "did not answer with the requested bytes (from 9 on)"),
    ],
)
def test_wrong_file_is_noticed(server, partial, there, offered, answer, expected):
    if there:
        partial.write_bytes(CONTENT[:there])
    with pytest.raises(SourceError) as error:
        download(server.offer(PATH, offered, answer), partial, size=len(CONTENT))
    assert str(error.value) == expected
    assert len(server.requests) == 1
    kept = partial.read_bytes() if partial.exists() else b""
    assert CONTENT.startswith(kept)


def test_bad_address(partial):
    with pytest.raises(SourceError, match="No connection adapters"):
        download("gopher://x/y.tar", partial, size=1)


def test_full_disk_is_the_callers_to_tell(server, partial):
    """Of a write that fails the bytes before it stay; here there are none."""
    partial.symlink_to("/dev/full")
    with pytest.raises(OSError, match="No space left"):
        download(server.offer(PATH, CONTENT), partial, size=len(CONTENT))


def test_progress_is_told_in_megabytes(server, partial, capsys):
    content = bytes(3_000_000)
    partial.write_bytes(content[:1_000_000])
    download(server.offer(PATH, content), partial, size=len(content))
    last = capsys.readouterr().err.splitlines()[-1]
    assert last.startswith("downloading x.tar: 3/3, ")
