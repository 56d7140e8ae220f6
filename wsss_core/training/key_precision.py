"""Determines without torch, for the key of a training, which precision 'auto' means.

A network trained in bfloat16 differs from one trained in float32. If the key contained 'auto', a
network trained on a GPU could be reused for a training on a CPU.
"""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

from wsss_core.config.precision import AskedPrecision, Precision

CPU_UNITS = ("amx_bf16", "avx512_bf16")


def precision_here(asked: AskedPrecision, *, gpus: int) -> Precision:
    """Determines the precision of a training on this machine.

    On a CPU it is that of `models.precision.choose_precision`.

    Args:
        asked: The precision in the config.
        gpus: Number of GPUs of the training. It is not known yet which ones, so that all GPUs of
            the machine must have units for bfloat16.
    """
    if asked != "auto":
        return asked
    has_units = gpus_have_bf16() if gpus else cpu_has_bf16()
    return "bfloat16" if has_units else "float32"


def cpu_has_bf16(info: Path = Path("/proc/cpuinfo")) -> bool:
    """Tells whether the CPU has units for bfloat16, like models.precision.has_bf16, from /proc."""
    if not info.is_file():
        return False
    words = info.read_text(encoding="utf-8", errors="replace").split()
    return any(name in words for name in CPU_UNITS)


def gpus_have_bf16() -> bool:
    """Tells whether all GPUs have units for bfloat16, without starting a process on a GPU."""
    query = ["nvidia-smi", "--query-gpu=compute_cap", "--format=csv,noheader"]
    try:
        answer = subprocess.run(query, capture_output=True, text=True, check=True).stdout
    except (OSError, subprocess.CalledProcessError):
        return _torch_says_so()
    found = re.findall(r"^\s*(\d+)\.\d+\s*$", answer, re.M)
    return all(int(major) >= 8 for major in found) if found else _torch_says_so()


def _torch_says_so() -> bool:
    import torch

    from wsss_core.models.precision import has_bf16

    return torch.cuda.is_available() and has_bf16(torch.device("cuda"))
