"""compact_step: SEAM's training step with EfficientNet-Lite0 at stride 8, on the CPU."""

import torch

from benchmarks.plain_networks import use_plain_timm
from benchmarks.rows import Row
from benchmarks.timing import compare, name_of
from benchmarks.training_step import COMPACT, TrainingStep, batch_of, seam_training

BATCH_SIZE, CROP_SIZE = 4, 320


def run(device: torch.device) -> list[Row]:
    """Usual: timm's network, channels first. Ours: BatchNorms folded, channels last."""
    batch = batch_of(BATCH_SIZE, CROP_SIZE, device)
    ours = TrainingStep(seam_training("seam", COMPACT), batch, bf16=False)
    plain = seam_training("seam", COMPACT)
    use_plain_timm(plain.net.backbone, COMPACT)
    usual = TrainingStep(plain, batch, bf16=False, fused=False, channels_last=False)
    usual.model.net.backbone.eval()  # BatchNorms stay frozen
    seconds = compare(ours, usual)
    return [Row("compact_step", *seconds, "s/step", "2x", name_of(device))]
