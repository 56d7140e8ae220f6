"""seam_step: SEAM's training step with ResNet38d on crops of 448 pixels."""

import torch

from benchmarks.plain_networks import run_channels_first
from benchmarks.rows import Row
from benchmarks.timing import compare, name_of
from benchmarks.training_step import RESNET38D, TrainingStep, batch_of, seam_training
from wsss_core.models.precision import has_bf16

CROP_SIZE = 448


def run(device: torch.device) -> list[Row]:
    """Usual: float32, channels first. Ours: channels last, and bf16 if the device has it."""
    batch = batch_of(8 if device.type == "cuda" else 1, CROP_SIZE, device)
    ours = TrainingStep(seam_training("seam", RESNET38D), batch, bf16=has_bf16(device))
    plain = seam_training("seam", RESNET38D)
    run_channels_first(plain.net.backbone)
    usual = TrainingStep(plain, batch, bf16=False, fused=False, channels_last=False)
    seconds = compare(ours, usual, repetitions=3, device=device)
    return [Row("seam_step", *seconds, "s/step", "4x", name_of(device))]
