"""A training whose 14th step gets a SIGTERM and then never ends, in a C call that runs no handler.

test_loop.py runs it by `python -m tests.training.slow_step <work_dir>`.
"""

import ctypes
import os
import signal
import sys
from pathlib import Path

from tests.training.test_loop import Net, train_tiny
from wsss_core.runtime.errors import run_command
from wsss_core.training import signals


def compute_for_ever(step: int) -> None:
    if step == 14:
        os.kill(os.getpid(), signal.SIGTERM)
        libc = ctypes.CDLL(None)
        while True:
            libc.sleep(60)  # without the interpreter, as torch computes


if __name__ == "__main__":
    signals.GRACE = 1.0
    run_command(lambda: train_tiny(Net(compute_for_ever), Path(sys.argv[1])))
