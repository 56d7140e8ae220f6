"""Loaders of images where TMPDIR is long."""

import os
import subprocess
import sys

PROGRAM = """
import torch
from torch.utils.data import DataLoader
from wsss_core.runtime.sockets import use_short_folder
from wsss_core.runtime.worker_signals import start_worker
use_short_folder()
use_short_folder()
data = [torch.full((3,), float(k)) for k in range(5)]
loader = DataLoader(data, batch_size=None, num_workers=1, worker_init_fn=start_worker)
print(sum(float(item.sum()) for item in loader))
"""


def test_readers_hand_over_images_whatever_tmpdir(tmp_path):
    folder = tmp_path / ("x" * 100)
    folder.mkdir()
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM],
        env={**os.environ, "TMPDIR": str(folder), "PYTHONPATH": "."},
        capture_output=True, text=True, timeout=120, check=False,
    )  # fmt: skip
    assert done.stdout == "30.0\n", done.stderr
    assert list(folder.iterdir()) == []
