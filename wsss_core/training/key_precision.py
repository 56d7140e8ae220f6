"""What 'auto' comes to on this machine, found without torch, so that a key can have it at once.

A network trained in bfloat16 is another one than that of float32, so a key that said 'auto' would
hand the network of a GPU to a CPU.
"""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

from wsss_core.config.precision import AskedPrecision

CPU_UNITS = ("amx_bf16", "avx512_bf16")
BY_NETWORK = "auto on a CPU with units for bfloat16"  # what that is, code and config decide


def precision_here(asked: AskedPrecision, *, gpus: int) -> AskedPrecision:
    """What a training on this machine is to compute in.

    Args:
        asked: As the config has it.
        gpus: How many the training has. Which ones is not known yet, so all must have units for
            bfloat16.

    Returns:
        The precision; 'auto' where it depends on the network too: on a CPU with such units.
    """
    if asked != "auto":
        return asked
    if gpus == 0:
        return "auto" if cpu_has_bf16() else "float32"
    return "bfloat16" if gpus_have_bf16() else "float32"


def cpu_has_bf16(info: Path = Path("/proc/cpuinfo")) -> bool:
    """The same as models.precision.has_bf16, as the kernel tells it."""
    if not info.is_file():
        return False
    words = info.read_text(encoding="utf-8", errors="replace").split()
    return any(name in words for name in CPU_UNITS)


def gpus_have_bf16() -> bool:
    """The same of all GPUs that the driver shows, without a process on any of them."""
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
