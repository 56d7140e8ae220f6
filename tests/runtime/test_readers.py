"""Tests of data loaders with a long TMPDIR, little shared memory, or a slow disk."""

import os
import shutil
import subprocess
import sys
import time
from types import SimpleNamespace

import pytest
import torch
from torch.utils.data import DataLoader, Dataset

from wsss_core.runtime.readers import ENOUGH, reader_options

PROGRAM = """
import torch
from torch.utils.data import DataLoader
from wsss_core.runtime.readers import reader_options
data = [torch.full((3,), float(k)) for k in range(5)]
for _ in range(2):
    loader = DataLoader(data, batch_size=None, **reader_options(1, ahead=2))
    assert loader.num_workers == 1
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
    assert done.stdout == "30.0\n30.0\n", done.stderr
    assert list(folder.iterdir()) == []


@pytest.mark.parametrize(("free", "processes"), [(ENOUGH - 1, 0), (ENOUGH, 3)])
def test_with_little_shared_memory_nothing_goes_through_it(monkeypatch, free, processes):
    monkeypatch.setattr(shutil, "disk_usage", lambda _: SimpleNamespace(free=free))
    options = reader_options(3, ahead=2)
    assert options["num_workers"] == processes
    loader = DataLoader([torch.ones(2), torch.zeros(2)], batch_size=None, **options)
    assert [item.tolist() for item in loader] == [[1, 1], [0, 0]]


class FilesOfASlowDisk(Dataset[int]):
    """Files of which each is there only after a while."""

    SECONDS = 0.1

    def __len__(self):
        return 200

    def __getitem__(self, index):
        time.sleep(self.SECONDS)
        return index


def test_seven_readers_hide_most_of_what_a_slow_disk_costs():
    """They wait at the same time: so no dataset has to be copied to a node's own disk."""
    loader = DataLoader(FilesOfASlowDisk(), batch_size=None, **reader_options(7, ahead=4))
    files = iter(loader)
    for _ in range(7):  # until all readers are there
        next(files)
    start = time.monotonic()
    for _ in range(70):
        next(files)
    assert time.monotonic() - start < 70 * FilesOfASlowDisk.SECONDS / 3


MISTAKE = """
from torch.utils.data import DataLoader, Dataset
from wsss_core.runtime.errors import UserError, run_command
from wsss_core.runtime.readers import reader_options

class Items(Dataset):
    def __len__(self):
        return 3
    def __getitem__(self, index):
        {what}

def main():
    list(DataLoader(Items(), batch_size=None, **reader_options(1, ahead=2)))

run_command(main)
"""


def ended(what):
    """A program whose reader does something else than to read."""
    return subprocess.run(
        [sys.executable, "-c", MISTAKE.replace("{what}", what)],
        env={**os.environ, "PYTHONPATH": "."},
        capture_output=True, text=True, timeout=120, check=False,
    )  # fmt: skip


def test_a_mistake_that_a_reader_meets_is_one_line():
    done = ended("raise UserError('x.jpg: is empty; expected a picture')")
    assert done.returncode == 1
    assert done.stderr == "error: x.jpg: is empty; expected a picture\n"


def test_what_a_reader_cannot_hand_over_ends_the_program():
    done = ended("return lambda: index")  # which cannot be pickled
    assert done.returncode == 1
    assert "error: a reader process cannot pass on an image: " in done.stderr
    assert "error: a process of this job was killed" in done.stderr
    assert "Traceback" not in done.stderr
