"""Stands for wsss_core/devices.py in a copy of the project: GPUs that are mere names, and faults.

The job computes on the CPU, but notes in `gpus/` which GPUs it could see and when. A file
`faults/<script>` makes the next job of that script, and only that one, fail or train slowly.
"""

import atexit
import json
import os
import sys
import time
from pathlib import Path

import torch
from torch.optim.optimizer import register_optimizer_step_post_hook

from wsss_core.errors import UserError

SLOW_STEP_SECONDS = 7.0


def device(gpus: int) -> torch.device:
    """The CPU, whatever was given."""
    names = [name for name in os.environ["CUDA_VISIBLE_DEVICES"].split(",") if name]
    script = Path(sys.argv[0]).stem
    _note(Path("gpus", f"{os.environ['SLURM_JOB_ID']}-{os.getpid()}.json"), script, gpus, names)
    fault = Path("faults", script)
    if fault.is_file():
        kind = fault.read_text()
        fault.unlink()
        if kind == "fail":
            raise UserError(f"{script}: the fault that was asked for")
        register_optimizer_step_post_hook(_dawdle)
    return torch.device("cpu")


def _dawdle(*_: object) -> None:
    time.sleep(SLOW_STEP_SECONDS)


def _note(path: Path, script: str, gpus: int, names: list[str]) -> None:
    started = time.time()
    path.parent.mkdir(exist_ok=True)

    def write() -> None:
        job = {"script": script, "asked": gpus, "names": names}
        path.write_text(json.dumps({**job, "started": started, "ended": time.time()}))

    atexit.register(write)
