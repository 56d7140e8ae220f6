"""A training on two processes, whose second one meets a loss that is not finite at step 15.

For test_engine.py, as `python -m tests.two_processes <work_dir>`: each process is started alike.
"""

import sys
from pathlib import Path

import lightning_fabric
from lightning_fabric.plugins.environments.lightning import LightningEnvironment

from tests.test_engine import Diverging, train_tiny
from wsss_core import engine
from wsss_core.errors import run_command


def two_processes(_gpus: int) -> lightning_fabric.Fabric:
    fabric = lightning_fabric.Fabric(
        accelerator="cpu", devices=2, strategy="ddp", plugins=LightningEnvironment()
    )
    fabric.launch()
    return fabric


class SecondDiverging(Diverging):
    """Diverges in the second process alone."""

    def forward(self, batch):
        self.step = 15 if LightningEnvironment().local_rank() == 1 else None
        return super().forward(batch)


if __name__ == "__main__":
    engine._fabric = two_processes
    work_dir = Path(sys.argv[1])
    run_command(lambda: train_tiny(SecondDiverging(15), work_dir, checkpoint_minutes=0.0))
