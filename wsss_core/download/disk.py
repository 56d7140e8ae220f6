"""A directory that large files go to: who writes there, and what may go wrong with that."""

from __future__ import annotations

import shutil
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from filelock import FileLock, Timeout

from wsss_core.runtime.atomic import FULL
from wsss_core.runtime.errors import UserError

POLL_INTERVAL = 0.5  # seconds between two looks at a lock that another run holds


@contextmanager
def exclusive(path: Path) -> Iterator[None]:
    """Lets one run at a time make a file or directory; others wait until it is done.

    The lock is the kernel's, so that one of a killed run holds nobody up.

    Args:
        path: What is being made; `.<name>.lock` beside it is locked.
    """
    lock = FileLock(path.with_name(f".{path.name}.lock"), poll_interval=POLL_INTERVAL)
    try:
        lock.acquire(timeout=0)
    except Timeout:
        sys.stderr.write(f"{path}: waiting for another run that is making it\n")
        lock.acquire()
    try:
        yield
    finally:
        lock.release()


@contextmanager
def disk_errors(directory: Path, *, kept: str) -> Iterator[None]:
    """Tells in one line that a directory cannot be written.

    Args:
        directory: Where the block writes.
        kept: What of it stays for the next run.
    """
    try:
        yield
    except OSError as error:
        if error.errno in FULL:
            expected = f"more space there, or on the disk of another archives.directory; {kept}"
        else:
            expected = "an archives.directory that can be written"
        at = f" at {error.filename}" if error.filename else ""
        raise UserError(f"{directory}: {error.strerror}{at}; expected {expected}") from error


def require_space(directory: Path, size: int, *, purpose: str) -> None:
    """Stops before a long work that could not be finished.

    Args:
        directory: Where bytes will be written.
        size: How many.
        purpose: What they are, for the message.
    """
    free = shutil.disk_usage(directory).free
    if free < size:
        raise UserError(
            f"{directory}: {free:,} bytes are free; expected {size:,} for {purpose}, or another "
            "archives.directory"
        )
