"""Tests that reader processes continue after a request to stop, but not for ever."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import torch
from torch.utils.data import DataLoader

from wsss_core.runtime.worker_signals import start_worker

REPOSITORY = Path(__file__).parents[2]
SIGNALLED_READER = """
import os, signal, time
from wsss_core.runtime import worker_signals

worker_signals.LINGER = 1
worker_signals.start_worker()
os.kill(os.getpid(), signal.SIGINT)
print("survived SIGINT", flush=True)
asked = time.monotonic()
os.kill(os.getpid(), signal.SIGTERM)
print("survived SIGTERM", asked, flush=True)
time.sleep(60)
"""


def test_a_reader_ignores_ctrl_c_and_ends_some_time_after_sigterm():
    reader = subprocess.run(
        [sys.executable, "-c", SIGNALLED_READER],
        cwd=REPOSITORY,
        capture_output=True,
        text=True,
        check=False,
    )
    ended = time.monotonic()
    first, second = reader.stdout.splitlines()
    assert first == "survived SIGINT"
    assert second.startswith("survived SIGTERM")
    assert reader.returncode == -signal.SIGALRM
    assert 1 <= ended - float(second.split()[-1]) < 30


class _Signalled:
    """Each sample comes with both signals to its reader."""

    def __len__(self):
        return 6

    def __getitem__(self, index):
        for number in (signal.SIGINT, signal.SIGTERM):
            os.kill(os.getpid(), number)
        return torch.tensor(index)


def test_a_signalled_reader_delivers_all_its_samples():
    loader = DataLoader(_Signalled(), batch_size=None, num_workers=1, worker_init_fn=start_worker)
    assert [int(sample) for sample in loader] == list(range(6))
