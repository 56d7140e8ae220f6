"""Tests of the metadata of weights files, which are read without torch."""

import io
import pickle
import zipfile

import pytest
import torch

from wsss_core.data.weights import load_weights, save_weights
from wsss_core.data.weights_metadata import read_metadata
from wsss_core.runtime.errors import UserError


def test_it_is_what_torch_reads(tmp_path):
    tensors = {"w": torch.rand(3, 2), "n": torch.tensor(4)}
    save_weights(tmp_path / "w.pt", tensors, {"classes": ["cat"], "config": {"lr": 0.1, "x": None}})
    assert read_metadata(tmp_path / "w.pt") == load_weights(tmp_path / "w.pt").metadata


class Evil:
    def __reduce__(self):
        return (open, ("made-by-the-file", "w"))


def test_a_file_runs_no_code(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    stored = io.BytesIO()
    with zipfile.ZipFile(stored, "w") as archive:
        archive.writestr("w/data.pkl", pickle.dumps({"metadata": {"evil": Evil()}}, protocol=2))
    (tmp_path / "w.pt").write_bytes(stored.getvalue())
    assert read_metadata(tmp_path / "w.pt") == {"evil": None}
    assert not (tmp_path / "made-by-the-file").exists()


@pytest.mark.parametrize("content", [b"", b"no zip", b"PK\x05\x06" + bytes(18)])
def test_another_file_is_told(tmp_path, content):
    (tmp_path / "w.pt").write_bytes(content)
    with pytest.raises(UserError, match="w.pt: not a readable weights file"):
        read_metadata(tmp_path / "w.pt")


def test_a_missing_file_is_told(tmp_path):
    with pytest.raises(UserError, match="w.pt: weights file not found"):
        read_metadata(tmp_path / "w.pt")
