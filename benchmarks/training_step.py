"""A classifier's training step on one fixed batch, with a method's network and losses."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, cast

import torch
from torch import Tensor

from benchmarks.experiment import paper
from benchmarks.pictures import NUM_CLASSES
from wsss_core.config.backbone import BackboneConfig
from wsss_core.config.experiment import training_sections
from wsss_core.config.training import OptimConfig
from wsss_core.methods.kinds import training_config
from wsss_core.ops.present import present_pairs
from wsss_core.stages.train_classifier import start_classifier
from wsss_core.training.distributed import MeanOf
from wsss_core.training.optim import build_optimizer

RESNET38D = BackboneConfig(name="resnet38d", output_stride=8)
COMPACT = BackboneConfig(name="tf_efficientnet_lite0", output_stride=8)


def seam_training(method: str, backbone: BackboneConfig) -> Any:
    """Builds network and losses of a method in config.yaml, with another backbone, untrained."""
    sections = training_sections(paper(), method)
    sections["classifier"]["backbone"] = backbone.model_dump(mode="json")
    sections["method"]["init"] = "imagenet"
    if backbone is COMPACT:
        sections["method"]["pcm_features"] = (3, 4)
    torch.manual_seed(0)
    return start_classifier(training_config(sections), NUM_CLASSES)


def batch_of(batch_size: int, crop_size: int, device: torch.device) -> dict[str, Tensor]:
    """Draws a batch of noise images with two classes each, a mask and edges."""
    torch.manual_seed(0)
    label = torch.zeros(batch_size, NUM_CLASSES)
    label[:, 3] = label[:, 14] = 1
    mask = torch.zeros(batch_size, crop_size, crop_size, dtype=torch.uint8)
    mask[:, crop_size // 4 : crop_size // 2, crop_size // 4 :] = 4
    batch = {
        "image": torch.rand(batch_size, 3, crop_size, crop_size),
        "label": label,
        "present": present_pairs(label),
        "mask": mask,
        "edges": (torch.rand(batch_size, 1, crop_size, crop_size) > 0.9).float(),
    }
    return {name: tensor.to(device) for name, tensor in batch.items()}


class TrainingStep:
    """One step: losses, gradients and the optimiser's update, as in `loop.train`.

    Args:
        model: The model, on the CPU.
        batch: The batch, on the device.
        bf16: Whether the network computes in bf16.
        fused: Whether the optimiser updates all weights in one kernel.
        channels_last: Whether weights are in channels-last memory format.
    """

    def __init__(
        self,
        model: Any,
        batch: Mapping[str, Tensor],
        *,
        bf16: bool,
        fused: bool = True,
        channels_last: bool = True,
    ) -> None:
        device = batch["image"].device
        model.to(device)
        if channels_last:
            model.to(memory_format=torch.channels_last)
        self.model = model.train()
        self.batch = dict(batch)
        self.precision = torch.autocast(device.type, torch.bfloat16, enabled=bf16)
        self.optimizer = build_optimizer(model.param_groups(), OptimConfig())
        if not fused:
            groups = self.optimizer.param_groups
            self.optimizer = torch.optim.SGD(
                [{"params": g["params"], "lr": g["lr"]} for g in groups], momentum=0.9
            )

    def __call__(self) -> None:
        """Takes a step."""
        with self.precision:
            losses = self.model(self.batch)
            terms = {n: x.mean if isinstance(x, MeanOf) else x for n, x in losses.items()}
            weights = self.model.loss_weights
            total = cast(Tensor, sum(w * terms[name] for name, w in weights.items()))
        torch.autograd.backward(total)
        self.optimizer.step()
        self.optimizer.zero_grad(set_to_none=True)
