"""Training in bf16 on CPUs that have units for it."""

import statistics
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from tests.methods.tiny_trainings import cam_training, seam_net
from tests.training.loss_curves import resnet38d
from wsss_core.config.backbone import BackboneConfig
from wsss_core.config.training import OptimConfig, TrainingConfig
from wsss_core.methods.seam import Config, Training
from wsss_core.models.backbone import build_backbone
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


def train(model, work_dir: Path, *, steps: int, seed: int = 0) -> loop.History:
    return loop.train(
        model,
        _Stripes(steps * BATCH_SIZE),
        config=TrainingConfig(epochs=1, batch_size=BATCH_SIZE, optim=FAST),
        loss_weights=model.loss_weights,
        seed=seed,
        gpus=0,
        threads=1,
        work_dir=work_dir / "state",
        checkpoint_minutes=10.0,
        log_every=10,
        key="",
        desc="",
    )


def dtypes_of(model, work_dir: Path, monkeypatch) -> set[torch.dtype]:
    """Precisions of the CAM in a training."""
    seen = set()
    forward = type(model.net).forward

    def spy(self, image):
        cam_logits = forward(self, image)
        seen.add(cam_logits.dtype)
        return cam_logits

    monkeypatch.setattr(type(model.net), "forward", spy)
    train(model, work_dir, steps=1)
    return seen


def with_units(monkeypatch) -> None:
    monkeypatch.setattr(torch.cpu, "get_capabilities", lambda: {"avx512_bf16": True})


def test_a_dense_network_trains_in_bf16_where_there_are_units_for_it(tmp_path, monkeypatch):
    model = dense_cam()
    assert dtypes_of(model, tmp_path, monkeypatch) == {torch.float32}
    with_units(monkeypatch)
    assert dtypes_of(model, tmp_path, monkeypatch) == {torch.bfloat16}


def dense_cam() -> nn.Module:
    model = resnet38d()
    model.net.backbone.is_dense = True
    return model


def test_others_do_not(tmp_path, monkeypatch):
    with_units(monkeypatch)
    model = cam_training(num_classes=NUM_CLASSES, dropout=0.0)
    assert dtypes_of(model, tmp_path, monkeypatch) == {torch.float32}


@pytest.mark.parametrize(
    ("name", "is_dense"), [("resnet18", True), ("tf_efficientnet_lite0", False)]
)
def test_a_network_with_grouped_convolutions_is_not_dense(name, is_dense):
    assert build_backbone(BackboneConfig(name=name, output_stride=16)).is_dense is is_dense


def seam() -> nn.Module:
    config = Config(kind="seam", epochs=1, scale=0.5, pcm_features=(4, 5), pcm_channels=(8, 16))
    backbone = dense_cam().net.backbone
    net = seam_net(config, num_classes=NUM_CLASSES, dropout=0.5, backbone=backbone)
    return Training(net, config)


@pytest.mark.slow
def test_seam_learns_in_bf16_as_in_float32(tmp_path, monkeypatch):
    """The loss after 200 steps differs less than between seeds, and than by what was learnt."""
    curves: dict[str, list[loop.History]] = {"float32": [], "bf16": []}
    for name, histories in curves.items():
        if name == "bf16":
            with_units(monkeypatch)
        for seed in range(3):
            torch.manual_seed(seed)
            histories.append(train(seam(), tmp_path / f"{name}{seed}", steps=200, seed=seed))
    ends = {
        name: [statistics.mean(row["loss"] for row in history[-5:]) for history in histories]
        for name, histories in curves.items()
    }
    pairs = list(zip(ends["float32"], ends["bf16"], strict=True))
    assert abs(statistics.mean(b - a for a, b in pairs)) < statistics.stdev(ends["float32"]), ends
    for history, (end, end_bf16) in zip(curves["float32"], pairs, strict=True):
        learnt = history[0]["loss"] - end
        assert learnt > 2 * abs(end_bf16 - end), ends
