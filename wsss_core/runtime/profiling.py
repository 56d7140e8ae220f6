"""Traces of what a stage's time goes into, which https://ui.perfetto.dev shows."""

from collections.abc import Generator, Iterable
from pathlib import Path
from typing import TypeVar

import torch
from torch.profiler import ProfilerActivity, profile, schedule

Item = TypeVar("Item")

# The first items pay for what happens once; a trace of ten is some tens of MB.
SKIPPED, WARMED_UP, TRACED = 1, 2, 10


def profiled(items: Iterable[Item], path: Path | None) -> Generator[Item]:
    """Goes through items, and traces what is done for a few of them, by whoever makes or uses them.

    Args:
        items: Steps of a training, or images.
        path: JSON file to write; None: nothing is traced.
    """
    if path is None:
        yield from items
        return
    activities = [ProfilerActivity.CPU]
    if torch.cuda.is_available():
        activities.append(ProfilerActivity.CUDA)
    with profile(
        activities=activities,
        schedule=schedule(wait=SKIPPED, warmup=WARMED_UP, active=TRACED, repeat=1),
        on_trace_ready=lambda trace: trace.export_chrome_trace(str(path)),
    ) as profiler:
        for item in items:
            yield item
            profiler.step()
