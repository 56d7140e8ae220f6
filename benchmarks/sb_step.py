"""sb_step: a training step with the smoothing branch, compared with a step of SEAM alone."""

import statistics
import time

import torch

from benchmarks.rows import Row
from benchmarks.timing import apart, name_of
from benchmarks.training_step import RESNET38D, TrainingStep, batch_of, seam_training
from wsss_core.models.precision import has_bf16

CROP_SIZE, STEPS = 448, 4


def measure(method: str, device_name: str) -> tuple[float, float]:
    """Measures the seconds of a step, and its peak memory on a GPU in MB."""
    device = torch.device(device_name)
    batch = batch_of(8 if device.type == "cuda" else 1, CROP_SIZE, device)
    step = TrainingStep(seam_training(method, RESNET38D), batch, bf16=has_bf16(device))
    seconds = []
    for _ in range(STEPS):
        start = time.perf_counter()
        step()
        if device.type == "cuda":
            torch.cuda.synchronize()
        seconds.append(time.perf_counter() - start)
    held = torch.cuda.max_memory_allocated() / 2**20 if device.type == "cuda" else 0.0
    return statistics.median(seconds[1:]), held


def run(device: torch.device) -> list[Row]:
    """Here, `usual` is SEAM alone: a ratio of 0.8 means that a step takes 1.25 times as long.

    Each runs in a process of its own, because the peak memory is measured per process.
    """
    sb, seam = (apart(measure, method, device.type) for method in ("sb", "seam"))
    (seconds, held), megabytes = sb
    (seam_seconds, seam_held), seam_megabytes = seam
    if device.type == "cuda":
        megabytes, seam_megabytes = held, seam_held
    name = name_of(device)
    return [
        Row("sb_step", seconds, seam_seconds, "s/step", "0.8x", name),
        Row("sb_step_memory", megabytes, seam_megabytes, "MB", "0.77x", name),
    ]
