"""Computes loss curves of every training on tiny networks, with one process or two.

`python -m tests.training.loss_curves` computes them with two processes. The first process writes
them as JSON.
"""

import functools
import json
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path

import lightning_fabric
import numpy as np
import torch
from torch import Tensor, nn

from tests.methods.test_golden import build, keys_of
from tests.methods.tiny_trainings import branch_config, cam_training, seam_training
from tests.models.tiny_backbone import tiny_backbone
from tests.training.two_processes import two_processes
from wsss_core.config.training import OptimConfig, TrainingConfig
from wsss_core.methods import cam
from wsss_core.models.affinity_net import AffinityNet
from wsss_core.models.backbone import Backbone
from wsss_core.models.cell_positions import Cells
from wsss_core.models.deeplab import Aspp, DeepLab
from wsss_core.models.geometry import FeatureGeometry
from wsss_core.models.resnet38d import ResNet38d
from wsss_core.ops.boundary import semantic_boundary
from wsss_core.stages.train_affinity import AffinityTraining
from wsss_core.stages.train_segmenter import SegmenterTraining
from wsss_core.training import loop

STEPS, BATCH_SIZE, NUM_CLASSES, SIZE = 5, 5, 3, 48
WIDTH = 1 / 8  # of ResNet38d; narrower ones cannot be trained on CPUs (broken_gradients.py)


class Uneven:
    """Images that have between one and all classes, and pixels without label on up to all rows."""

    image_ids = tuple(f"i{index}" for index in range(STEPS * BATCH_SIZE))

    def __init__(self, of_image: Callable[[Tensor], dict[str, Tensor]] | None = None) -> None:
        self.of_image = of_image or (lambda _: {})

    def __len__(self) -> int:
        return len(self.image_ids)

    def sample(self, index: int, rng: np.random.Generator) -> dict[str, Tensor]:
        image = rng.random((3, SIZE, SIZE), dtype=np.float32) / 2
        mask = np.zeros((SIZE, SIZE), dtype=np.uint8)
        classes = range(1 + index % NUM_CLASSES)
        for k in classes:
            image[k, 12 * k : 12 * k + 12, 8:40] += 0.5
            mask[12 * k : 12 * k + 12, 8:40] = 1 + k
        mask[: SIZE * (index % 6) // 5] = 255
        known = torch.from_numpy(mask)[None]
        return {
            "image": torch.from_numpy(image),
            "label": torch.tensor([float(k in classes) for k in range(NUM_CLASSES)]),
            "mask": known[0],
            "boundary": semantic_boundary(known, num_classes=1 + NUM_CLASSES, radius=1)[0],
            "edges": (known == 255).float(),
            **self.of_image(torch.from_numpy(image)),
        }


class UnevenCells(Uneven):
    """The same with a label for each cell, as AffinityNet reads them."""

    def sample(self, index: int, rng: np.random.Generator) -> dict[str, Tensor]:
        sample = super().sample(index, rng)
        return {"image": sample["image"], "label": sample["mask"][4::8, 4::8]}


def smoothing_over_present() -> nn.Module:
    """The branch whose loss is a mean over the classes that images have."""
    _, branch, _ = keys_of("config.yaml")
    return seam_training(
        branch_config(**branch | {"mean_over": "present", "lambda_smoothness": 20.0})
    )


def resnet38d() -> cam.Training:
    """Of the real layers, with channel dropout within."""
    torch.manual_seed(0)
    network = ResNet38d(width=WIDTH)
    backbone = Backbone(
        network,
        channels=network.channels,
        geometry=FeatureGeometry(tuple(Cells(s, 0) for s in network.strides), is_cornered=True),
        mean=(0.5,) * 3,
        std=(0.25,) * 3,
    )
    return cam_training(num_classes=NUM_CLASSES, dropout=0.5, backbone=backbone)


def affinity() -> AffinityTraining:
    torch.manual_seed(0)
    return AffinityTraining(AffinityNet(tiny_backbone(), stages=(1, 2), channels=(4, 4), radius=3))


def segmenter() -> SegmenterTraining:
    torch.manual_seed(0)
    head = Aspp(6, 1 + NUM_CLASSES, rates=(1, 2))
    return SegmenterTraining(DeepLab(tiny_backbone(), head, scales=(0.5,)))


CASES: dict[str, Callable[[], nn.Module]] = {
    "cam": functools.partial(build, "cam"),
    "resnet38d": resnet38d,
    "seam": functools.partial(build, "seam"),
    "sb": smoothing_over_present,
    "sb released": functools.partial(build, "sb released"),
    "affinity": affinity,
    "segmenter": segmenter,
}


def curve(case: str, *, gpus: int = 0, log_every: int = 1) -> loop.History | None:
    """Losses and measures of each step, or some; None in all processes but the first."""
    model = CASES[case]()
    with tempfile.TemporaryDirectory() as directory:
        try:
            return loop.train(
                model,
                (UnevenCells if case == "affinity" else Uneven)(getattr(model, "of_image", None)),
                config=TrainingConfig(epochs=1, batch_size=BATCH_SIZE, optim=OptimConfig()),
                loss_weights=model.loss_weights,
                seed=0,
                gpus=gpus,
                threads=1,
                work_dir=Path(directory) / "state",
                checkpoint_minutes=10.0,
                log_every=log_every,
                key="",
                desc=case,
            )
        except SystemExit:
            return None


@functools.cache
def one_pair(gpus: int, precision: str) -> lightning_fabric.Fabric:
    """The same two processes for all trainings."""
    return two_processes(gpus, precision)


if __name__ == "__main__":
    loop._fabric = one_pair
    curves = {case: curve(case) for case in CASES}
    if all(curves.values()):
        json.dump(curves, sys.stdout)
