"""Detects the lock that a killed run has left in its folder, and its jobs that still run.

Snakemake locks the folder in which it runs. After a power cut or SIGKILL, the lock remains, and
Snakemake cannot tell whether its owner is alive. On a single machine, the list of processes tells.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

JOB_MODULES = ("workflow_scripts.", "wsss_core.workflow.gpu_lease")


class Process(NamedTuple):
    """A process whose working directory is the folder."""

    pid: int
    words: list[str]

    @property
    def is_snakemake(self) -> bool:
        """Whether the process is Snakemake."""
        names = [Path(word).name for word in self.words[:4]]
        return "snakemake" in names

    @property
    def is_job(self) -> bool:
        """Whether the process runs the program of a rule."""
        return any(word.startswith(JOB_MODULES) for word in self.words)


def processes_in(folder: Path, proc: Path = Path("/proc")) -> Iterator[Process]:
    """Yields the processes with a working directory that this user may see on this machine."""
    for path in proc.glob("[0-9]*"):
        try:
            if (path / "cwd").resolve(strict=True) == folder.resolve():
                words = (path / "cmdline").read_bytes().decode(errors="replace").split("\0")
                yield Process(int(path.name), [word for word in words if word])
        except OSError:  # the process has ended or belongs to another user
            continue


def advice(folder: Path, processes: list[Process]) -> str | None:
    """Says what to do about a lock; None if there is no lock or its owner is alive.

    Args:
        folder: Folder in which Snakemake runs.
        processes: The processes that work there, except this one and its parent.
    """
    locks = folder / ".snakemake/locks"
    if not locks.is_dir() or not any(locks.iterdir()):
        return None
    if any(process.is_snakemake for process in processes):
        return None
    jobs = [str(process.pid) for process in processes if process.is_job]
    if jobs:
        return (
            f"{locks}: a run was killed, but some of its jobs still run (processes "
            f"{', '.join(jobs)}); wait until they end or end them, then: snakemake --unlock"
        )
    return (
        f"{locks}: a run was killed and left its lock; no process of this machine works here. "
        "If no other machine uses this folder: snakemake --unlock, then the same command again"
    )


def warn_of_stale_lock(folder: Path) -> None:
    """Writes the advice to stderr, except during `snakemake --unlock`."""
    if "--unlock" in sys.argv:
        return
    own = {os.getpid(), os.getppid()}
    text = advice(folder, [p for p in processes_in(folder) if p.pid not in own])
    if text is not None:
        sys.stderr.write(f"warning: {text}\n")
