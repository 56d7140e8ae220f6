"""A directory that large files go to, and what may go wrong with that."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from wsss_core.runtime.atomic import FULL
from wsss_core.runtime.errors import UserError


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
