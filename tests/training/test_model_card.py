"""Tests of the metadata about a network in its weights file."""

import tomllib
from pathlib import Path

import timm
import torch

from tests.models.tiny_backbone import tiny_backbone
from wsss_core.data.dataset_digest import dataset_digest
from wsss_core.data.weights import load_weights, save_weights
from wsss_core.runtime.version import code_version
from wsss_core.training.model_card import model_card

PROJECT = Path(__file__).parents[2]


def test_the_card_travels_in_the_file(tiny_dataset: Path, tmp_path: Path) -> None:
    card = model_card(
        tiny_backbone(),
        seed=3,
        code="c0de",
        precision="bfloat16",
        device=torch.device("cpu"),
        dataset=tiny_dataset,
    )
    save_weights(tmp_path / "w.pt", {"w": torch.zeros(1)}, {"network": "x", **card})
    told = load_weights(tmp_path / "w.pt").metadata
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
        "version": tomllib.loads((PROJECT / "pyproject.toml").read_text())["project"]["version"],
        "commit": code_version(),
        "torch": torch.__version__,
        "timm": timm.__version__,
        "device": "cpu",
        "dataset": dataset_digest(tiny_dataset),
    }


def test_another_label_is_another_dataset(tiny_dataset: Path) -> None:
    before = dataset_digest(tiny_dataset)
    assert dataset_digest(tiny_dataset) == before
    labels = tiny_dataset / "labels.csv"
    labels.write_text(labels.read_text().replace("train_1,0,1", "train_1,1,1"))
    assert dataset_digest(tiny_dataset) != before
