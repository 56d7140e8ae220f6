"""Traces of where a stage spends its time, in a format for https://ui.perfetto.dev."""

from collections.abc import Generator, Iterable
from pathlib import Path
from typing import TypeVar

import torch
from torch._C._profiler import _ExperimentalConfig
from torch.profiler import ProfilerActivity, profile, schedule

Item = TypeVar("Item")

# The first items include one-time costs. A trace of ten items has some tens of MB.
SKIPPED, WARMED_UP, TRACED = 1, 2, 10


def profiled(items: Iterable[Item], path: Path | None) -> Generator[Item]:
    """Iterates over items, and traces the work of their producer and consumer for a few of them.

    Args:
        items: Training steps, or images.
        path: JSON file to write; None: no trace.
    """
    if path is None:
        yield from items
        return
    activities = [ProfilerActivity.CPU]
    if torch.cuda.is_available():
        activities.append(ProfilerActivity.CUDA)
    with profile(
        activities=activities,
        experimental_config=_ExperimentalConfig(profile_all_threads=True),
        schedule=schedule(wait=SKIPPED, warmup=WARMED_UP, active=TRACED, repeat=1),
        on_trace_ready=lambda trace: trace.export_chrome_trace(str(path)),
    ) as profiler:
        for item in items:
            yield item
            profiler.step()
