"""Files and directories that appear whole or not at all."""

from __future__ import annotations

import errno
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from wsss_core.runtime.errors import UserError

FULL = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)


@contextmanager
def atomic_file(path: Path) -> Iterator[Path]:
    """Yields a path beside `path` to write to; it takes the name `path` if the block succeeds.

    The temporary name keeps the suffix, since many writers choose the format by it, and is the
    same at every attempt, so that a killed process leaves nothing that the next does not clear.

    Args:
        path: The file to write; missing parent directories are created.
    """
    partial = partial_path(path)
    with writing_errors(path):
        path.parent.mkdir(parents=True, exist_ok=True)
        remove(partial)
        try:
            yield partial
            partial.replace(path)
        finally:
            remove(partial)


@contextmanager
def atomic_dir(path: Path) -> Iterator[Path]:
    """Yields an empty directory beside `path`; it replaces `path` if the block succeeds.

    Args:
        path: The directory to write; missing parent directories are created, and what it holds
            now stays until the new one is complete.
    """
    with writing_errors(path), staging_dir(path) as partial:
        yield partial
        move_into_place(partial, path)


@contextmanager
def writing_errors(path: Path) -> Iterator[None]:
    """Tells in one line that the disk of `path` is full or may not be written.

    Raises:
        UserError: It is. What else goes wrong in the block is passed on.
    """
    try:
        yield
    except (OSError, RuntimeError) as error:
        # torch.save, given an open file, says RuntimeError while it handles what the file has said.
        fault = error if isinstance(error, OSError) else error.__context__
        if not isinstance(fault, OSError):
            raise
        if fault.errno in FULL:
            expected = "more room on this disk; the next run goes on from what is finished"
        elif fault.errno == errno.EROFS or _is_beside(path, fault):
            expected = "a directory that can be written"
        else:
            raise
        raise UserError(f"{path}: {fault.strerror}; expected {expected}") from error


def _is_beside(path: Path, fault: OSError) -> bool:
    """Whether a file that may not be written, and not one that is read, is `path` or beside it."""
    named = Path(str(fault.filename))
    return fault.errno in (errno.EACCES, errno.EPERM) and path.parent in (named, *named.parents)


@contextmanager
def staging_dir(path: Path) -> Iterator[Path]:
    """Yields an empty directory beside `path`, on the same file system, and removes it at the end.

    Args:
        path: What is being prepared; missing parent directories are created.
    """
    partial = partial_path(path)
    remove(partial)
    partial.mkdir(parents=True)
    try:
        yield partial
    finally:
        remove(partial)


def move_into_place(source: Path, target: Path) -> None:
    """Renames a file or directory over `target`, whatever `target` is now.

    A directory that is not empty cannot be replaced in one step, so the old one is renamed away
    first: `target` is missing for an instant, but never incomplete.

    Args:
        source: What to move, on the same file system.
        target: The name to give it.
    """
    old = target.with_name(f".{target.name}.old")
    remove(old)
    if target.is_dir() and not target.is_symlink():
        target.replace(old)
    source.replace(target)
    remove(old)


def partial_path(path: Path) -> Path:
    """Names the hidden temporary sibling of `path`: `.x.partial.npz` for `x.npz`."""
    return path.with_name(f".{path.stem}.partial{path.suffix}")


def remove(path: Path) -> None:
    """Removes a file, a link or a whole directory, or nothing if `path` is missing."""
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)
