"""Jobs end with the run that started them.

A job whose Snakemake or shell was killed would go on unseen. What it writes could then take the
place of what a later run has made with another config, and pass for that.
"""

from __future__ import annotations

import os
import select
import signal
import threading

RUN = "WSSS_RUN"  # process number of the Snakemake that starts jobs; by hand nothing is watched


def end_with_run() -> None:
    """Has SIGTERM sent to this process as soon as its Snakemake, or its shell, has ended."""
    run = os.environ.get(RUN)
    if run is None or not hasattr(os, "pidfd_open"):  # as on macOS
        return
    watched = []
    for pid in (int(run), os.getppid()):
        try:
            watched.append(os.pidfd_open(pid))
        except OSError:  # a container in which they are not to be seen
            continue
    if watched:
        threading.Thread(target=_wait_for_end, args=(watched,), daemon=True).start()


def _wait_for_end(watched: list[int]) -> None:
    select.select(watched, [], [])  # readable once one has ended
    os.kill(os.getpid(), signal.SIGTERM)
