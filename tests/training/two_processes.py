"""Trainings on two processes, whose second one alone meets something.

For test_loop.py, as `python -m tests.training.two_processes <case> <work_dir>`: each process is
started alike.
"""

import os
import signal
import sys
from pathlib import Path

import lightning_fabric
from lightning_fabric.plugins.environments.lightning import LightningEnvironment

from tests.training.test_loop import Diverging, Net, train_tiny
from wsss_core.runtime.errors import run_command
from wsss_core.training import loop


def two_processes(_gpus: int, _precision: str) -> lightning_fabric.Fabric:
    fabric = lightning_fabric.Fabric(
        accelerator="cpu", devices=2, strategy="ddp", plugins=LightningEnvironment()
    )
    fabric.launch()
    return fabric


def is_second() -> bool:
    return LightningEnvironment().local_rank() == 1


class SecondDiverging(Diverging):
    """The second process meets a loss that is not finite at step 15."""

    def forward(self, batch):
        self.step = 15 if is_second() else None
        return super().forward(batch)


def asked_to_stop(step: int) -> None:
    """The second process gets a SIGTERM in the third step."""
    if step == 3 and is_second():
        os.kill(os.getpid(), signal.SIGTERM)


CASES = {
    "diverging": (lambda: SecondDiverging(15), 0.0),
    "asked to stop": (lambda: Net(asked_to_stop), 10.0),
}

if __name__ == "__main__":
    loop._fabric = two_processes
    build, minutes = CASES[sys.argv[1]]
    run_command(lambda: train_tiny(build(), Path(sys.argv[2]), checkpoint_minutes=minutes))
