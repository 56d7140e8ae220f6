"""Timing of two implementations by turns."""

from __future__ import annotations

import platform
import statistics
import time
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import torch

SHORTEST = 0.05  # seconds; shorter calls are repeated until they take this long


def compare(
    ours: Callable[[], Any],
    usual: Callable[[], Any],
    *,
    repetitions: int = 5,
    device: torch.device | None = None,
) -> tuple[float, float]:
    """Times both implementations by turns, so that changes in the machine's speed affect both.

    Args:
        ours: Our implementation, called without arguments.
        usual: The usual implementation, called without arguments.
        repetitions: Number of measurements of each, after a call that does not count.
        device: A GPU is synchronised before the clock is read; None: the CPU.

    Returns:
        The median seconds per call of both.
    """
    ways = (ours, usual)
    numbers = [_calls_of(way, device) for way in ways]
    seconds: tuple[list[float], list[float]] = ([], [])
    for _ in range(repetitions):
        for way, number, results in zip(ways, numbers, seconds, strict=True):
            results.append(_time(way, number, device) / number)
    return statistics.median(seconds[0]), statistics.median(seconds[1])


def scaled(seconds: tuple[float, float], factor: float) -> tuple[float, float]:
    """Converts both results of `compare` to another unit."""
    return seconds[0] * factor, seconds[1] * factor


def median_seconds(call: Callable[[], Any], *, repetitions: int = 5) -> float:
    """Measures the median seconds of a call on the CPU."""
    number = _calls_of(call, None)
    return statistics.median(_time(call, number, None) / number for _ in range(repetitions))


def _calls_of(way: Callable[[], Any], device: torch.device | None) -> int:
    _time(way, 1, device)  # the first call is slower
    return max(1, round(SHORTEST / max(_time(way, 1, device), 1e-9)))


def _time(way: Callable[[], Any], number: int, device: torch.device | None) -> float:
    _wait(device)
    start = time.perf_counter()
    for _ in range(number):
        way()
    _wait(device)
    return time.perf_counter() - start


def _wait(device: torch.device | None) -> None:
    if device is not None and device.type == "cuda":
        torch.cuda.synchronize(device)


def apart(function: Callable[..., Any], *arguments: Any) -> tuple[Any, float]:
    """Calls a function in a process of its own.

    Args:
        function: A function of a module, so that the process can import it.
        arguments: Its picklable arguments.

    Returns:
        The result of the function, and the peak memory of the process in MB.
    """
    with ProcessPoolExecutor(1, mp_context=get_context("spawn")) as pool:
        result = pool.submit(function, *arguments).result()
        return result, pool.submit(_peak_megabytes).result()


def _peak_megabytes() -> float:
    # Not getrusage: its value for a process includes the process that started it.
    lines = Path("/proc/self/status").read_text().splitlines()
    (kilobytes,) = (line.split()[1] for line in lines if line.startswith("VmHWM:"))
    return int(kilobytes) / 1024


def name_of(device: torch.device) -> str:
    """Returns the device's name for the results."""
    if device.type == "cuda":
        return torch.cuda.get_device_name(device)
    return f"CPU, {torch.get_num_threads()} cores: {_cpu_model()}"


def _cpu_model() -> str:
    info = Path("/proc/cpuinfo")
    lines = info.read_text().splitlines() if info.is_file() else []
    names = [line.split(":")[1].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.processor()
