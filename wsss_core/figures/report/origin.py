"""Describes the machine, and the differences of the config from the shipped config."""

from __future__ import annotations

import os
import platform
import shutil
import subprocess
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import yaml


def machine() -> str:
    """Describes processor, cores, memory and GPUs of this machine, without its host name."""
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 1e9
    parts = [f"{_processor()}, {os.cpu_count()} cores, {memory:.0f} GB", *_gpus()]
    return "; ".join(parts)


def _processor() -> str:
    path = Path("/proc/cpuinfo")
    if path.is_file():
        for line in path.read_text(encoding="utf-8", errors="replace").splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    return platform.processor() or platform.machine()


def _gpus() -> list[str]:
    if not shutil.which("nvidia-smi"):
        return []
    command = ["nvidia-smi", "--query-gpu=name", "--format=csv,noheader"]
    run = subprocess.run(command, capture_output=True, text=True, check=False)
    names = run.stdout.splitlines() if run.returncode == 0 else []
    return [f"{names.count(name)}x {name.strip()}" for name in dict.fromkeys(names)]


def changes(
    config: Mapping[str, Any], shipped: Mapping[str, Any]
) -> Iterator[tuple[str, str, str]]:
    """Yields each changed key: its dotted name, its value and the shipped value, as YAML."""
    ours, theirs = _flat(config), _flat(shipped)
    for key in dict.fromkeys([*theirs, *ours]):
        texts = [_yaml(side[key]) if key in side else "" for side in (ours, theirs)]
        if texts[0] != texts[1] and key in ours:
            yield key, texts[0], texts[1]


def _flat(value: Any, prefix: str = "") -> dict[str, Any]:
    """Returns the values of a config by dotted key. A list is one value."""
    if not isinstance(value, Mapping) or not value:
        return {prefix: value}
    found: dict[str, Any] = {}
    for key, child in value.items():
        found |= _flat(child, f"{prefix}.{key}" if prefix else str(key))
    return found


def _yaml(value: Any) -> str:
    text = yaml.safe_dump(value, default_flow_style=True, width=10_000, allow_unicode=True)
    return str(text).strip().removesuffix("...").strip()
