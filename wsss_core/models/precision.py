"""In what precision networks compute.

`float32` is single precision on every device: on GPUs without the 10-bit products (TF32) that
torch allows by default. `bfloat16` is torch's autocast: products have 8 bits, and what is made of a
network's output is in float32 again.
"""

from typing import Literal

import torch

from wsss_core.config.precision import AskedPrecision

Precision = Literal["float32", "bfloat16"]


def choose_precision(
    asked: AskedPrecision, device: torch.device, *, pays_on_cpu: bool = True
) -> Precision:
    """What a job computes in.

    Args:
        asked: "auto" is bfloat16 where the device gains from it.
        device: Where it computes.
        pays_on_cpu: Whether a CPU with units for bfloat16 gains from it in this job.
    """
    if asked != "auto":
        return asked
    gains = has_bf16(device) and (device.type == "cuda" or pays_on_cpu)
    return "bfloat16" if gains else "float32"


def has_bf16(device: torch.device) -> bool:
    """Whether the device has units for products in bfloat16, and need not imitate them.

    GPUs from the A100 and the RTX 30 series on have, and CPUs with AMX or AVX512-BF16.
    """
    if device.type == "cuda":
        return torch.cuda.get_device_capability(device) >= (8, 0)
    capabilities = torch.cpu.get_capabilities()
    return any(capabilities.get(name, False) for name in ("amx_bf16", "avx512_bf16"))


def use_exact_products() -> None:
    """Products of float32 numbers are computed in that, also on GPUs, from here on.

    Beside bfloat16 too: what autocast leaves in float32 is little work, and needs its bits.
    """
    torch.set_float32_matmul_precision("highest")
    torch.backends.cudnn.allow_tf32 = False


def autocast(precision: Precision, device: torch.device) -> torch.autocast:
    """A context in which networks compute in a precision."""
    return torch.autocast(device.type, torch.bfloat16, enabled=precision == "bfloat16")


def start_inference(asked: AskedPrecision, device: torch.device) -> Precision:
    """What a job that applies a trained network computes in; prepares this process for it."""
    use_exact_products()
    return choose_precision(asked, device)
