"""Ends a job when the Snakemake run that started it has ended.

Otherwise the job of a killed Snakemake process or shell would continue unnoticed. Its output could
later replace the output of a new run with another config.
"""

from __future__ import annotations

import os
import select
import signal
import threading

RUN = "WSSS_RUN"  # process id of the Snakemake that starts jobs; not set if a user starts a program


def end_with_run() -> None:
    """Makes this process receive SIGTERM when its Snakemake or its parent process has ended."""
    run = os.environ.get(RUN)
    if run is None or not hasattr(os, "pidfd_open"):  # on macOS, for example
        return
    watched = []
    for pid in (int(run), os.getppid()):
        try:
            watched.append(os.pidfd_open(pid))
        except OSError:  # inside a container that hides the process
            continue
    if watched:
        threading.Thread(target=_wait_for_end, args=(watched,), daemon=True).start()


def _wait_for_end(watched: list[int]) -> None:
    select.select(watched, [], [])  # returns when one of them has ended
    os.kill(os.getpid(), signal.SIGTERM)
