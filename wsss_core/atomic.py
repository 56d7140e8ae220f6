"""Files and directories that appear whole or not at all."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


@contextmanager
def atomic_file(path: Path) -> Iterator[Path]:
    """Yields a path beside `path` to write to; it takes the name `path` if the block succeeds.

    The temporary name keeps the suffix, since many writers choose the format by it, and is the
    same at every attempt, so that a killed process leaves nothing that the next does not clear.

    Args:
        path: The file to write; missing parent directories are created.
    """
    partial = partial_path(path)
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
    with staging_dir(path) as partial:
        yield partial
        move_into_place(partial, path)


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
