"""Tests of weights files."""

import pickle

import pytest
import torch

from wsss_core.data.weights import load_weights, save_weights
from wsss_core.runtime.errors import UserError

METADATA = {"config": {"scales": [0.5, 1.0], "name": "x", "flip": True}, "class_names": ["a", "b"]}


def test_what_is_saved_is_loaded(tmp_path):
    path = tmp_path / "new" / "weights.pt"
    state_dict = {
        "weight": torch.randn(2, 3, 4, 5).to(memory_format=torch.channels_last),
        "count": torch.tensor(3),
    }
    state_dict["weight"].requires_grad_()
    save_weights(path, state_dict, METADATA)
    weights = load_weights(path)
    assert weights.metadata == METADATA
    assert list(weights.state_dict) == ["weight", "count"]
    for name, tensor in state_dict.items():
        assert torch.equal(weights.state_dict[name], tensor)
        assert weights.state_dict[name].dtype == tensor.dtype
    assert not weights.state_dict["weight"].requires_grad
    assert [file.name for file in path.parent.iterdir()] == ["weights.pt"]


def test_a_failed_write_leaves_the_old_file(tmp_path):
    path = tmp_path / "weights.pt"
    save_weights(path, {"x": torch.zeros(1)}, {})
    with pytest.raises((AttributeError, TypeError, pickle.PicklingError)):
        save_weights(path, {"x": torch.ones(1)}, {"function": lambda: None})
    assert load_weights(path).state_dict["x"] == 0
    assert [file.name for file in tmp_path.iterdir()] == ["weights.pt"]


class _Trap:
    def __reduce__(self):
        return (exec, ("raise SystemExit('code in the file was executed')",))


def test_code_in_a_file_is_not_executed(tmp_path):
    path = tmp_path / "weights.pt"
    for content in (_Trap(), {"format": "wsss-weights-1", "state_dict": _Trap(), "metadata": {}}):
        torch.save(content, path)
        with pytest.raises(UserError, match=r"weights\.pt: not a readable weights file"):
            load_weights(path)


def test_files_that_are_no_weights_are_named(tmp_path):
    path = tmp_path / "weights.pt"
    with pytest.raises(UserError, match=r"weights\.pt: weights file not found"):
        load_weights(path)
    path.write_text("not weights")
    with pytest.raises(UserError, match="not a readable weights file"):
        load_weights(path)
    torch.save({"conv1.weight": torch.zeros(1)}, path)
    with pytest.raises(UserError, match="not a weights file of this project"):
        load_weights(path)
