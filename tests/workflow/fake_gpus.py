"""Replaces wsss_core/runtime/devices.py in a copy of the project: simulated GPUs.

The job computes on the CPU. It notes in `gpus/` which GPUs it could see, when, and how many steps
it trained. Each word of a file `faults/<script>` affects one job of that script, in order: it makes
the job fail, train slowly, be queued again after a few steps, or be killed with its shell.
"""

import atexit
import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import torch
from torch.optim.optimizer import register_optimizer_step_post_hook

from wsss_core.runtime.errors import UserError

# Slurm ends a job between 60 and 90 seconds after a limit of a minute: that is 8 steps at most, so
# that two such jobs never finish the 18 steps of a training.
SLOW_STEP_SECONDS = 13.0
SECONDS_UNTIL_SIGNAL = 7.0  # after a job is queued again; soon after, Slurm kills it
STEPS_BEFORE_REQUEUE = 3


def device(gpus: int) -> torch.device:
    """The CPU, whatever was given."""
    script = Path(sys.argv[0]).stem
    fault = Path("faults", script)
    kind, *later = fault.read_text().split() if fault.is_file() else [""]
    fault.unlink(missing_ok=True)
    if later:
        fault.write_text(" ".join(later))
    pause = SLOW_STEP_SECONDS if kind == "slow" else 0
    _note(script, gpus, pause=pause, requeue=kind == "requeue")
    if kind == "fail":
        raise UserError(f"{script}: the fault that was asked for")
    if kind == "vanish":
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
        subprocess.run(["scancel", os.environ["SLURM_JOB_ID"]], check=True)
        os.kill(os.getpid(), signal.SIGKILL)
    return torch.device("cpu")


def _note(script: str, gpus: int, *, pause: float, requeue: bool) -> None:
    """Has a file written after each step and at the end; slows the training down."""
    names = [name for name in os.environ["CUDA_VISIBLE_DEVICES"].split(",") if name]
    note = {"script": script, "asked": gpus, "names": names, "started": time.time(), "steps": 0}
    path = Path("gpus", f"{os.environ['SLURM_JOB_ID']}-{os.getpid()}.json").absolute()
    path.parent.mkdir(exist_ok=True)

    def write() -> None:
        path.write_text(json.dumps({**note, "ended": time.time()}))

    def count(*_: object) -> None:
        note["steps"] += 1
        write()  # not only at the end: a training that gives up a slow step exits at once
        time.sleep(pause)
        if requeue and note["steps"] == STEPS_BEFORE_REQUEUE:
            subprocess.run(["scontrol", "requeue", os.environ["SLURM_JOB_ID"]], check=True)
            time.sleep(SECONDS_UNTIL_SIGNAL)

    register_optimizer_step_post_hook(count)
    atexit.register(write)
