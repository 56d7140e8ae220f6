"""Where a job computes, and in what precision."""

import sys

import torch


def device(gpus: int) -> torch.device:
    """The first GPU, or the CPU, said loudly, where none is given."""
    if gpus > 0:
        return torch.device("cuda")
    sys.stderr.write("running on the CPU: no GPU was given to this job\n")
    return torch.device("cpu")


def has_bf16(device: torch.device) -> bool:
    """Whether the device has units for products in bf16, and need not imitate them.

    GPUs from the A100 and the RTX 30 series on have, and CPUs with AMX or AVX512-BF16.
    """
    if device.type == "cuda":
        return torch.cuda.get_device_capability(device) >= (8, 0)
    capabilities = torch.cpu.get_capabilities()
    return any(capabilities.get(name, False) for name in ("amx_bf16", "avx512_bf16"))
