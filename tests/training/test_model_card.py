"""What weights files tell about their network."""

import sys
import tomllib
from pathlib import Path

import pytest

from tests.models.tiny_backbone import tiny_backbone
from wsss_core.data.weights import load_weights, save_weights
from wsss_core.training import model_card as model_card_module
from wsss_core.training.model_card import model_card, package_version


def test_the_card_travels_in_the_file(tmp_path: Path) -> None:
    card = model_card(tiny_backbone(), seed=3, code="c0de", precision="bfloat16")
    save_weights(tmp_path / "w.pt", {}, {"network": "x", **card})
    told = load_weights(tmp_path / "w.pt").metadata
    pyproject = Path(__file__).parents[2] / "pyproject.toml"
    assert told == {
        "network": "x",
        "input": {
            "layout": "[B, 3, H, W], RGB in [0, 1]; normalised by (input - mean) / std",
            "mean": [0.5, 0.5, 0.5],
            "std": [0.25, 0.25, 0.25],
            "margin": 0,
            "multiple": 8,
        },
        "strides": [4, 8],
        "seed": 3,
        "code": "c0de",
        "precision": "bfloat16",
        "version": tomllib.loads(pyproject.read_text())["project"]["version"],
    }


@pytest.mark.parametrize("beside", [None, "[tool.other]", "[project]\nname = 'other'"])
@pytest.mark.parametrize("installed", ["7.8.9", None])
def test_the_version_of_a_package_outside_of_the_project(tmp_path, monkeypatch, beside, installed):
    if beside:
        (tmp_path / "pyproject.toml").write_text(beside)
    if installed:
        info = tmp_path / f"wsss_core-{installed}.dist-info"
        info.mkdir()
        (info / "METADATA").write_text(f"Name: wsss-core\nVersion: {installed}\n")
    monkeypatch.setattr(model_card_module, "PYPROJECT", tmp_path / "pyproject.toml")
    monkeypatch.setattr(sys, "path", [str(tmp_path)])
    assert package_version() == (installed or "unknown")
