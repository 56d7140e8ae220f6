"""Choice of the device by the name that the user gives."""

from __future__ import annotations

import torch

from wsss_core.runtime.errors import UserError


def choose_device(name: str) -> torch.device:
    """Returns the device with a given name.

    Args:
        name: For example cpu, cuda, cuda:1 or mps. auto means the first GPU, or the CPU without
            one.

    Raises:
        UserError: This machine has no such device.
    """
    if name == "auto":
        return torch.device("cuda" if torch.cuda.is_available() else "cpu")
    try:
        device: torch.device | None = torch.device(name)
    except RuntimeError:
        device = None
    found = _devices()
    if device is None or str(device) not in found:
        raise UserError(f"--device {name}: no such device; expected auto, {', '.join(found)}")
    return device


def _devices() -> list[str]:
    gpus = range(torch.cuda.device_count())
    cuda = ["cuda", *(f"cuda:{index}" for index in gpus)] if gpus else []
    return ["cpu", *cuda, *(["mps"] if torch.backends.mps.is_available() else [])]
