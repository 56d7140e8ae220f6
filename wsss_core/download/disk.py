"""Error messages for a directory to which large files are written."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from wsss_core.runtime.atomic import FULL
from wsss_core.runtime.errors import UserError


@contextmanager
def disk_errors(directory: Path, *, kept: str) -> Iterator[None]:
    """Turns an OSError of the block into a one-line message.

    Args:
        directory: The directory to which the block writes.
        kept: Part of the message: what stays on disk for the next run.

    Raises:
        UserError: The block raised an OSError.
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
    """Raises UserError if a disk has not enough free space.

    Args:
        directory: The directory to be written to.
        size: Number of bytes that are needed.
        purpose: What needs the space, for the message.
    """
    free = shutil.disk_usage(directory).free
    if free < size:
        raise UserError(
            f"{directory}: {free:,} bytes are free; expected {size:,} for {purpose}, or another "
            "archives.directory"
        )
