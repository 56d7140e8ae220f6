"""One run at a time makes a thing; others wait for it."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from filelock import FileLock, Timeout

POLL_INTERVAL = 0.5  # seconds between two looks at a lock that another run holds


@contextmanager
def exclusive(path: Path) -> Iterator[None]:
    """Lets one run at a time make a file or directory; others wait until it is done.

    The lock is the kernel's, so that one of a killed run holds nobody up. A file system without
    locks is told of, and then nobody waits.

    Args:
        path: What is being made; `.<name>.lock` beside it is locked.
    """
    lock = FileLock(path.with_name(f".{path.name}.lock"), poll_interval=POLL_INTERVAL)
    try:
        lock.acquire(timeout=0)
    except Timeout:
        sys.stderr.write(f"{path}: waiting for another run that is making it\n")
        lock.acquire()
    except NotImplementedError:
        sys.stderr.write(f"warning: {path}: no locks here; other runs may make it too\n")
    try:
        yield
    finally:
        lock.release()
