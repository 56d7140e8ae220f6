"""What weights files tell about their network."""

import tomllib
from pathlib import Path

from tests.models.tiny_backbone import tiny_backbone
from wsss_core.data.weights import load_weights, save_weights
from wsss_core.training.model_card import model_card


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
