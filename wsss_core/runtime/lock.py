"""Locks, so that only one run at a time makes a file or directory."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from filelock import FileLock, Timeout

POLL_INTERVAL = 0.5  # seconds between two attempts to get a lock that another run holds


@contextmanager
def exclusive(path: Path) -> Iterator[None]:
    """Lets only one run at a time make a file or directory; other runs wait.

    The lock belongs to the process. If a run is killed, the kernel frees its lock. If the file
    system has no locks, a warning is printed and nobody waits.

    Args:
        path: The file or directory that is made; the lock file is `.<name>.lock` beside it.
    """
    lock = FileLock(path.with_name(f".{path.name}.lock"), poll_interval=POLL_INTERVAL)
    try:
        lock.acquire(timeout=0)
    except Timeout:
        sys.stderr.write(f"{path}: waiting for another run that is making it\n")
        lock.acquire()
    except NotImplementedError:
        sys.stderr.write(f"warning: {path}: no locks on this disk; other runs may make it too\n")
    try:
        yield
    finally:
        lock.release()
