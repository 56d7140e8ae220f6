"""How processes that read images ahead hand them over: by sockets and shared memory."""

import os
import shutil
import tempfile
from multiprocessing import util
from pathlib import Path
from typing import Any

from wsss_core.runtime.worker_signals import start_worker

LONGEST = 60  # characters of a folder for sockets; their names have 108 in all
SHORT_FOLDERS = ("/tmp", "/var/tmp", "/dev/shm", "/run")
SHARED_MEMORY = Path("/dev/shm")
ENOUGH = 2**29  # bytes of it: images of several scales, and those that are read ahead


def reader_options(processes: int, *, ahead: int) -> dict[str, Any]:
    """Options of a DataLoader that reads in processes of its own.

    Where there is little shared memory, as the 64 MB of a container, it reads in this process: a
    reader that finds no room for an image is killed.

    Args:
        processes: How many there are.
        ahead: Items or batches that each is ahead of what is used.
    """
    if SHARED_MEMORY.is_dir() and shutil.disk_usage(SHARED_MEMORY).free < ENOUGH:
        return {"num_workers": 0}
    use_short_folder()
    return {
        "num_workers": processes,
        "prefetch_factor": ahead,
        "worker_init_fn": start_worker,
    }


def use_short_folder() -> None:
    """Puts the sockets of this process and of those that it starts into a folder of a short name.

    With the long TMPDIR of a cluster no socket can be named, and a reader that cannot hand anything
    over lets the main process wait for ever.
    """
    if len(tempfile.gettempdir()) <= LONGEST:
        return
    usual = tempfile.tempdir
    tempfile.tempdir = next((f for f in SHORT_FOLDERS if os.access(f, os.W_OK | os.X_OK)), usual)
    try:
        util.get_temp_dir()  # makes one there, keeps it for this process, removes it at the end
    finally:
        tempfile.tempdir = usual
