"""Files and directories that appear whole or not at all."""

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
    """Yields a path beside `path` to write to; it takes the name `path` if the block succeeds.

    The temporary name keeps the suffix, since many writers choose the format by it. It is this
    process's own: of two that write the same file, the last one to end wins, with all of its
    content. What killed processes have left is cleared.

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
    partial = _own_path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    _clear_leftovers(path)
    partial.mkdir()
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
    """Names the hidden sibling of `path` that downloads go on with: `.x.partial.npz` for `x.npz`.

    It is the same for all processes: hold a lock.
    """
    return path.with_name(f".{path.stem}.partial{path.suffix}")


def _own_path(path: Path) -> Path:
    """The hidden sibling of `path` that this process alone writes to."""
    return path.with_name(f".{path.stem}.{_HOST}.{os.getpid()}.partial{path.suffix}")


def _clear_leftovers(path: Path) -> None:
    """Removes what processes of this machine that are gone have left of `path`, and our own."""
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
    except PermissionError:  # somebody else's
        pass
    return True


def remove(path: Path) -> None:
    """Removes a file, a link or a whole directory, or nothing if `path` is missing."""
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)
