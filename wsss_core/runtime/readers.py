"""Options of the processes that read images ahead and pass them on by shared memory."""

import os
import shutil
import tempfile
from multiprocessing import util
from pathlib import Path
from typing import Any

from wsss_core.runtime.worker_signals import start_worker

LONGEST = 60  # characters of the folder of sockets; the full name of a socket has 108 at most
SHORT_FOLDERS = ("/tmp", "/var/tmp", "/dev/shm", "/run")
SHARED_MEMORY = Path("/dev/shm")
ENOUGH = 2**29  # free bytes for images at several scales, with those read ahead


def reader_options(processes: int, *, ahead: int) -> dict[str, Any]:
    """Returns the options of a DataLoader that reads in processes of its own.

    With little shared memory (a container often has only 64 MB), it reads in the main process: a
    reader process without memory for an image is killed.

    Args:
        processes: Number of reader processes.
        ahead: Number of items or batches that each process reads ahead.
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
    """Puts the sockets of this process and its children into a folder with a short name.

    If TMPDIR is as long as on some clusters, a socket cannot be named. The readers then cannot pass
    on images, and the main process waits for ever.
    """
    if len(tempfile.gettempdir()) <= LONGEST:
        return
    usual = tempfile.tempdir
    tempfile.tempdir = next((f for f in SHORT_FOLDERS if os.access(f, os.W_OK | os.X_OK)), usual)
    try:
        util.get_temp_dir()  # makes a folder there, which is kept until this process ends
    finally:
        tempfile.tempdir = usual
