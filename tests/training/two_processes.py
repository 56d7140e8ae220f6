"""Trainings on two processes, of which only the second one has a fault.

test_loop.py runs it by `python -m tests.training.two_processes <case> <work_dir>`, once for each
process.
"""

import os
import signal
import sys
from pathlib import Path

import lightning_fabric
import torch
from lightning_fabric.plugins.environments.lightning import LightningEnvironment
from lightning_fabric.strategies.ddp import DDPStrategy

from tests.training.test_loop import Diverging, Net, train_tiny
from wsss_core.models.precision import use_exact_products
from wsss_core.runtime.errors import run_command
from wsss_core.training import loop

DEVICES = "TWO_PROCESSES_ON"


def two_processes(_gpus: int, _precision: str) -> lightning_fabric.Fabric:
    """Two processes on the devices that TWO_PROCESSES_ON names, such as "cuda:0 cuda:0"."""
    use_exact_products()
    devices = [torch.device(name) for name in os.environ.get(DEVICES, "cpu cpu").split()]
    strategy = DDPStrategy(
        parallel_devices=devices,
        # NCCL refuses to have two processes on one GPU.
        process_group_backend="gloo" if devices[0] == devices[1] else "nccl",
        gradient_as_bucket_view=True,
        broadcast_buffers=False,
    )
    fabric = lightning_fabric.Fabric(
        accelerator=devices[0].type, strategy=strategy, plugins=LightningEnvironment()
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
