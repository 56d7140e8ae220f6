"""Mounts a small disk to fill up, on machines where tests may mount one."""

import os
import subprocess
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest


@contextmanager
def small_disk(place: Path, options: str) -> Iterator[Callable[[str], None]]:
    """Mounts a disk at a directory, which is made; calling what this yields changes its options."""
    place.mkdir(parents=True, exist_ok=True)
    if os.geteuid() != 0 or subprocess.run(_mount(options, place), check=False).returncode:
        pytest.skip("mounting a small disk takes root")
    try:
        yield lambda changed: _run(_mount(f"remount,{changed}", place))
    finally:
        _run(["umount", str(place)])


def _mount(options: str, place: Path) -> list[str]:
    return ["mount", "-t", "tmpfs", "-o", options, "tmpfs", str(place)]


def _run(command: list[str]) -> None:
    subprocess.run(command, check=True)
