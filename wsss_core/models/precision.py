"""The precision in which networks compute.

`float32` is full single precision on all devices. On GPUs it turns off TF32, which torch uses for
some operations by default. `bfloat16` is torch's autocast: products have 8 significant bits. All
computations on the outputs of a network are in float32.
"""

import torch

from wsss_core.config.precision import AskedPrecision, Precision


def choose_precision(asked: AskedPrecision, device: torch.device) -> Precision:
    """Chooses the precision of a job.

    Args:
        asked: The config value; "auto": bfloat16 if the device has units for it, otherwise float32.
        device: The device of the job.
    """
    if asked != "auto":
        return asked
    return "bfloat16" if has_bf16(device) else "float32"


def has_bf16(device: torch.device) -> bool:
    """Says whether the device has hardware units for bfloat16.

    GPUs from the A100 and the RTX 30 series on have them, and CPUs with AMX or AVX512-BF16.
    """
    if device.type == "cuda":
        return torch.cuda.get_device_capability(device) >= (8, 0)
    capabilities = torch.cpu.get_capabilities()
    return any(capabilities.get(name, False) for name in ("amx_bf16", "avx512_bf16"))


def use_exact_products() -> None:
    """Turns off TF32 for the whole process, so that GPUs compute float32 in full precision.

    Used with bfloat16 too: autocast leaves few operations in float32, and they need the precision.
    """
    torch.set_float32_matmul_precision("highest")
    torch.backends.cudnn.allow_tf32 = False


def autocast(precision: Precision, device: torch.device) -> torch.autocast:
    """Returns a context in which networks compute in the given precision."""
    return torch.autocast(device.type, torch.bfloat16, enabled=precision == "bfloat16")
