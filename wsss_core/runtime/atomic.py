"""Writes files and directories atomically: they appear complete or not at all."""

from __future__ import annotations

import errno
import glob
import os
import shutil
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from wsss_core.runtime.errors import UserError

FULL = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)
_HOST = socket.gethostname()


@contextmanager
def atomic_file(path: Path) -> Iterator[Path]:
    """Yields a temporary path beside `path`, which is renamed to `path` if the block succeeds.

    The temporary name keeps the suffix, because many writers choose the format by it. It is unique
    to this process: if two processes write the same file, the last one to finish wins with its
    complete content. Leftovers of killed processes are removed.

    Args:
        path: The file to write; missing parent directories are created.
    """
    partial = _own_path(path)
    with writing_errors(path):
        path.parent.mkdir(parents=True, exist_ok=True)
        _clear_leftovers(path)
        try:
            yield partial
            partial.replace(path)
        finally:
            remove(partial)


@contextmanager
def atomic_dir(path: Path) -> Iterator[Path]:
    """Yields an empty directory beside `path`, which replaces `path` if the block succeeds.

    Args:
        path: The directory to write; missing parent directories are created. Its old content stays
            until the new directory is complete.
    """
    with writing_errors(path), staging_dir(path) as partial:
        yield partial
        move_into_place(partial, path)


@contextmanager
def writing_errors(path: Path) -> Iterator[None]:
    """Reports in one line that the disk of `path` is full or not writable.

    Raises:
        UserError: The disk is full or not writable. Other errors in the block are passed on.
    """
    try:
        yield
    except (OSError, RuntimeError) as error:
        # With an open file, torch.save raises RuntimeError while it handles the file's OSError.
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
    """Tells whether the error is a missing permission for `path` or for a file beside it."""
    named = Path(str(fault.filename))
    return fault.errno in (errno.EACCES, errno.EPERM) and path.parent in (named, *named.parents)


@contextmanager
def staging_dir(path: Path) -> Iterator[Path]:
    """Yields an empty directory beside `path`, on the same file system, and removes it at the end.

    Args:
        path: The directory that is being prepared; missing parent directories are created.
    """
    partial = _own_path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    _clear_leftovers(path)
    partial.mkdir()
    try:
        yield partial
    finally:
        remove(partial)


def move_into_place(source: Path, target: Path) -> None:
    """Renames a file or directory to `target` and replaces an existing `target` of any kind.

    A directory that is not empty cannot be replaced in one step. The old one is therefore renamed
    first: `target` is missing for a moment, but never incomplete.

    Args:
        source: The file or directory to move, on the same file system.
        target: The new path.
    """
    old = target.with_name(f".{target.name}.old")
    remove(old)
    if target.is_dir() and not target.is_symlink():
        target.replace(old)
    source.replace(target)
    remove(old)


def partial_path(path: Path) -> Path:
    """Returns the hidden file in which downloads of `path` continue: `.x.partial.npz` for `x.npz`.

    All processes use the same file. The caller must hold a lock.
    """
    return path.with_name(f".{path.stem}.partial{path.suffix}")


def _own_path(path: Path) -> Path:
    """Returns the hidden temporary path beside `path` that only this process writes to."""
    return path.with_name(f".{path.stem}.{_HOST}.{os.getpid()}.partial{path.suffix}")


def _clear_leftovers(path: Path) -> None:
    """Removes temporary files for `path` of this process and of ended processes of this machine."""
    names = f".{glob.escape(path.stem)}.{glob.escape(_HOST)}.*.partial{glob.escape(path.suffix)}"
    for left in path.parent.glob(names):
        number = left.name.removesuffix(f".partial{path.suffix}").rpartition(".")[2]
        if number.isdecimal() and (int(number) == os.getpid() or not _is_alive(int(number))):
            remove(left)


def _is_alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:  # a process of another user
        pass
    return True


def remove(path: Path) -> None:
    """Removes a file, a link or a directory with its content; does nothing if `path` is missing."""
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)
