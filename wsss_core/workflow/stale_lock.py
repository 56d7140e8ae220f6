"""A lock that a killed run has left in its folder, and jobs of it that still run.

Snakemake locks the folder that it runs in. A power cut or SIGKILL leaves the lock, and Snakemake
does not know whether its owner is alive; on one machine the processes tell.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

JOB_MODULES = ("workflow_scripts.", "wsss_core.workflow.gpu_lease")


class Process(NamedTuple):
    """A process that works in a folder."""

    pid: int
    words: list[str]

    @property
    def is_snakemake(self) -> bool:
        """Whether it runs a workflow."""
        names = [Path(word).name for word in self.words[:4]]
        return "snakemake" in names

    @property
    def is_job(self) -> bool:
        """Whether it runs a program of a rule."""
        return any(word.startswith(JOB_MODULES) for word in self.words)


def processes_in(folder: Path, proc: Path = Path("/proc")) -> Iterator[Process]:
    """Processes of this machine that work in a folder, as far as this user may see them."""
    for path in proc.glob("[0-9]*"):
        try:
            if (path / "cwd").resolve(strict=True) == folder.resolve():
                words = (path / "cmdline").read_bytes().decode(errors="replace").split("\0")
                yield Process(int(path.name), [word for word in words if word])
        except OSError:  # it has ended, or it is another user's
            continue


def advice(folder: Path, processes: list[Process]) -> str | None:
    """What to do about a lock in a folder; None where there is none, or its owner is alive.

    Args:
        folder: Where Snakemake runs.
        processes: Those that work there, less this one and its parents.
    """
    locks = folder / ".snakemake/locks"
    if not locks.is_dir() or not any(locks.iterdir()):
        return None
    if any(process.is_snakemake for process in processes):
        return None
    jobs = [str(process.pid) for process in processes if process.is_job]
    if jobs:
        return (
            f"{locks}: a run was killed, but jobs of it still run (processes {', '.join(jobs)}); "
            "wait for their end or end them, then: snakemake --unlock"
        )
    return (
        f"{locks}: a run was killed and left its lock; no process of this machine works here. "
        "If none of another machine does: snakemake --unlock, then the same command again"
    )


def warn_of_stale_lock(folder: Path) -> None:
    """Writes the advice to stderr, unless this command is following it."""
    if "--unlock" in sys.argv:
        return
    own = {os.getpid(), os.getppid()}
    text = advice(folder, [p for p in processes_in(folder) if p.pid not in own])
    if text is not None:
        sys.stderr.write(f"warning: {text}\n")
