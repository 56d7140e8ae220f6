"""Tests of reading others' checkpoints: which are accepted, and that no code in them runs."""

import hashlib
import os
import pickle

import pytest
import torch
from safetensors.torch import save_file

from wsss_core.data.weights import save_weights
from wsss_core.pretrained.files import check_sha256, read_checkpoint, read_metadata
from wsss_core.runtime.errors import UserError

TENSORS = {"conv.weight": torch.arange(24.0).view(2, 3, 2, 2), "bn.bias": torch.zeros(3)}


def same(read):
    return list(read) == list(TENSORS) and all(torch.equal(read[k], TENSORS[k]) for k in TENSORS)


@pytest.mark.parametrize("is_zip", [True, False], ids=["zip", "before torch 1.6"])
def test_both_formats_of_torch(tmp_path, is_zip):
    path = tmp_path / "net.pth"
    torch.save(TENSORS, path, _use_new_zipfile_serialization=is_zip)
    assert same(read_checkpoint(path))


def test_state_dicts_of_our_own_files(tmp_path):
    save_weights(tmp_path / "net.pt", TENSORS, {"config": {}})
    assert same(read_checkpoint(tmp_path / "net.pt"))


def test_safetensors(tmp_path):
    path = tmp_path / "model.safetensors"
    save_file(TENSORS, path)
    read = read_checkpoint(path)
    assert set(read) == set(TENSORS)
    assert all(torch.equal(read[name], TENSORS[name]) for name in TENSORS)
    assert read_metadata(path) == {}


def test_safetensors_that_are_damaged_or_missing(tmp_path):
    path = tmp_path / "model.safetensors"
    save_file(TENSORS, path)
    content = path.read_bytes()
    pickled = pickle.dumps(TENSORS)
    cut_short = [content[:length] for length in range(0, len(content) - 1, 17)]
    for damaged in (*cut_short, content.replace(b"F32", b"F99"), content + b"x", pickled):
        path.write_bytes(damaged)
        with pytest.raises(
            UserError, match=r"model\.safetensors: not a readable weights file \(.+"
        ):
            read_checkpoint(path)
    path.unlink()
    with pytest.raises(UserError, match=r"model\.safetensors: weights file not found$"):
        read_checkpoint(path)


class _Trap:
    def __reduce__(self):
        return (os.mkdir, (self.directory,))


@pytest.mark.parametrize("is_zip", [True, False])
def test_a_pickle_that_runs_code_is_refused(tmp_path, is_zip):
    path, trap = tmp_path / "net.pth", _Trap()
    trap.directory = str(tmp_path / "trapped")
    torch.save(TENSORS | {"x": trap}, path, _use_new_zipfile_serialization=is_zip)
    with pytest.raises(UserError) as error:
        read_checkpoint(path)
    assert str(error.value) == (
        f"{path}: not a readable weights file: it wants posix.mkdir; "
        "expected only tensors and plain values"
    )
    path.write_bytes(pickle.dumps(trap))
    with pytest.raises(UserError, match="not a readable weights file"):
        read_checkpoint(path)
    assert not (tmp_path / "trapped").exists()


def test_whole_networks_are_refused(tmp_path):
    torch.save(torch.nn.Conv2d(1, 1, 1), tmp_path / "net.pth")
    with pytest.raises(UserError, match=r"it wants torch\.nn\.modules\.conv\.Conv2d; expected"):
        read_checkpoint(tmp_path / "net.pth")


@pytest.mark.parametrize("is_zip", [True, False])
def test_a_file_that_is_cut_short_is_refused(tmp_path, is_zip):
    path = tmp_path / "net.pth"
    torch.save(TENSORS, path, _use_new_zipfile_serialization=is_zip)
    content = path.read_bytes()
    for length in range(0, len(content) - 1, 97):
        path.write_bytes(content[:length])
        with pytest.raises(UserError, match=r"net\.pth: not a readable weights file"):
            read_checkpoint(path)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ([torch.zeros(1)], "holds a list; expected tensors by name"),
        ({}, "holds a dict; expected tensors by name"),
        ({"epoch": 3, "model": TENSORS}, "'epoch' is a int; expected tensors by name"),
        ({0: torch.zeros(1)}, "0 is a Tensor; expected tensors by name"),
        ({"state_dict": 1}, "holds a int; expected tensors by name"),
    ],
)
def test_what_is_no_state_dict(tmp_path, content, message):
    torch.save(content, tmp_path / "net.pth")
    with pytest.raises(UserError) as error:
        read_checkpoint(tmp_path / "net.pth")
    assert str(error.value) == f"{tmp_path / 'net.pth'}: {message}"


def test_sha256(tmp_path):
    path = tmp_path / "net.pth"
    path.write_bytes(b"content")
    digest = hashlib.sha256(b"content").hexdigest()
    check_sha256(path, digest)
    check_sha256(path, None)
    with pytest.raises(UserError) as error:
        check_sha256(path, "0" * 64)
    assert str(error.value) == f"{path}: sha256 is {digest}; expected {'0' * 64}"
    with pytest.raises(UserError, match=r"missing\.pth: weights file not found"):
        check_sha256(tmp_path / "missing.pth", digest)
