"""Tests of training in bfloat16."""

import statistics
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from tests.methods.tiny_trainings import cam_training, seam_net
from tests.training.loss_curves import resnet38d
from wsss_core.config.training import OptimConfig, TrainingConfig
from wsss_core.methods.seam import Config, Training
from wsss_core.training import loop

NUM_CLASSES, SIZE, BATCH_SIZE = 3, 64, 4
FAST = OptimConfig(name="adamw", lr=3e-4)  # learns something in 200 steps


class _Stripes:
    """A stripe of its colour for each class, on noise."""

    def __init__(self, number: int) -> None:
        self.image_ids = [f"i{index}" for index in range(number)]

    def __len__(self) -> int:
        return len(self.image_ids)

    def sample(self, index: int, rng: np.random.Generator) -> dict[str, Tensor]:
        image = rng.random((3, SIZE, SIZE), dtype=np.float32) / 2
        classes = {index % 3, index // 3 % 3}
        for k in classes:
            image[k, 20 * k : 20 * k + 20] += 0.5
        return {
            "image": torch.from_numpy(image),
            "label": torch.tensor([float(k in classes) for k in range(NUM_CLASSES)]),
        }


def train(model, work_dir: Path, *, steps: int, precision: str, seed: int = 0) -> loop.History:
    return loop.train(
        model,
        _Stripes(steps * BATCH_SIZE),
        config=TrainingConfig(epochs=1, batch_size=BATCH_SIZE, optim=FAST),
        loss_weights=model.loss_weights,
        seed=seed,
        gpus=0,
        precision=precision,
        threads=1,
        work_dir=work_dir / "state",
        checkpoint_minutes=10.0,
        log_every=10,
        key="",
        desc="",
    )


@pytest.mark.parametrize("precision", ["float32", "bfloat16"])
def test_the_network_trains_in_the_precision_that_is_asked_for(tmp_path, monkeypatch, precision):
    model = cam_training(num_classes=NUM_CLASSES, dropout=0.0)
    seen = set()
    forward = type(model.net).forward

    def spy(self, image):
        cam_logits = forward(self, image)
        seen.add(cam_logits.dtype)
        return cam_logits

    monkeypatch.setattr(type(model.net), "forward", spy)
    train(model, tmp_path, steps=1, precision=precision)
    assert seen == {getattr(torch, precision)}


def seam() -> nn.Module:
    config = Config(kind="seam", epochs=1, scale=0.5, pcm_features=(4, 5), pcm_channels=(8, 16))
    backbone = resnet38d().net.backbone
    net = seam_net(config, num_classes=NUM_CLASSES, dropout=0.5, backbone=backbone)
    return Training(net, config)


@pytest.mark.slow
def test_seam_learns_in_bf16_as_in_float32(tmp_path):
    """The loss after 200 steps differs less than between seeds, and than by what was learnt."""
    curves: dict[str, list[loop.History]] = {"float32": [], "bfloat16": []}
    for precision, histories in curves.items():
        for seed in range(3):
            torch.manual_seed(seed)
            work_dir = tmp_path / f"{precision}{seed}"
            history = train(seam(), work_dir, steps=200, precision=precision, seed=seed)
            histories.append(history)
    ends = {
        name: [statistics.mean(row["loss"] for row in history[-5:]) for history in histories]
        for name, histories in curves.items()
    }
    pairs = list(zip(ends["float32"], ends["bfloat16"], strict=True))
    assert abs(statistics.mean(b - a for a, b in pairs)) < statistics.stdev(ends["float32"]), ends
    for history, (end, end_bf16) in zip(curves["float32"], pairs, strict=True):
        learnt = history[0]["loss"] - end
        assert learnt > 2 * abs(end_bf16 - end), ends
