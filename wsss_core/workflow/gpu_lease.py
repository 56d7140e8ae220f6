"""Runs a command with GPUs that no other job on this machine has.

    python -m wsss_core.workflow.gpu_lease 1 python -m workflow_scripts.infer_cam ...

Trainings take theirs by themselves, once they know that the store has no such training.

There is a file for each GPU, and who holds a lock on it holds the GPU. Locks belong to the process,
which becomes the command: the kernel frees them when it ends, however it ends, so none is ever
stale. A Slurm job that has as many GPUs as are asked for, or fewer, keeps those that it was given.
"""

import fcntl
import os
import stat
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

from wsss_core.runtime.errors import UserError, run_command

POLL_SECONDS = 0.5


def visible_gpus() -> list[str]:
    """GPUs that may be handed out: those of CUDA_VISIBLE_DEVICES, if that is set, or all."""
    chosen = os.environ.get("CUDA_VISIBLE_DEVICES")
    if chosen is not None:
        return [name.strip() for name in chosen.split(",") if name.strip()]
    try:
        listing = subprocess.run(["nvidia-smi", "-L"], capture_output=True, text=True, check=True)
    except (OSError, subprocess.CalledProcessError):
        return []
    gpus = [line for line in listing.stdout.splitlines() if line.startswith("GPU ")]
    return [str(index) for index in range(len(gpus))]


def lease(gpus: Sequence[str], count: int, *, directory: Path) -> list[str]:
    """Locks some GPUs for as long as this process lives; waits until as many are free.

    Args:
        gpus: Names of those that may be taken.
        count: How many.
        directory: Where the locks are, of `lock_directory`.

    Returns:
        The names of those taken.
    """
    if count > len(gpus):
        raise UserError(
            f"the job asks for {count} GPUs; expected at most {len(gpus)}, which this machine "
            f"shows: --resources gpu={len(gpus)}"
        )
    waits = False
    while True:
        held = _lock_free(gpus, count, directory)
        if len(held) == count:
            break
        # None is kept while waiting for others: two jobs with half of what they need would wait
        # for each other for ever.
        for descriptor in held.values():
            os.close(descriptor)
        if not waits:
            sys.stderr.write(f"waiting for {count} of the GPUs {', '.join(gpus)}: others run\n")
        waits = True
        time.sleep(POLL_SECONDS)
    for descriptor in held.values():
        fcntl.fcntl(descriptor, fcntl.F_SETFD, 0)  # the command inherits it
    return list(held)


def _lock_free(gpus: Sequence[str], count: int, directory: Path) -> dict[str, int]:
    """Descriptors of the locks on the first free GPUs, at most so many."""
    held: dict[str, int] = {}
    for gpu in gpus:
        if len(held) == count:
            break
        path = directory / f"{gpu.replace('/', '-')}.lock"
        descriptor = _open_lock(path)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            os.close(descriptor)
        else:
            held[gpu] = descriptor
    return held


def _open_lock(path: Path) -> int:
    """Opens a file that may be another user's, and makes it where it is missing.

    In a directory like this Linux opens no file of another user with O_CREAT.
    """
    try:
        return os.open(path, os.O_RDONLY | os.O_NOFOLLOW)
    except FileNotFoundError:
        return os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_CREAT, 0o444)


def lock_directory(parent: Path, slurm_job: str | None) -> Path:
    """Makes the directory of the locks, where it is not there yet.

    A machine has one for all of its users. A Slurm job has one for itself: the GPUs are its own,
    and their numbers may be those of another job's GPUs.

    Raises:
        UserError: Another user has put a link or a file there, or a directory in the job's place.
    """
    mode = 0o1777 if slurm_job is None else 0o700  # who may lock a file may not remove another's
    name = "wsss-gpu-locks" if slurm_job is None else f"wsss-gpu-locks-{os.getuid()}-{slurm_job}"
    directory = parent / name
    try:
        directory.mkdir(parents=True)
        directory.chmod(mode)
    except FileExistsError:
        pass
    status = directory.lstat()
    is_ours = slurm_job is None or status.st_uid == os.getuid()
    if not stat.S_ISDIR(status.st_mode) or not is_ours:
        expected = "a directory, and no link" if slurm_job is None else "a directory of this user"
        raise UserError(f"{directory}: cannot have locks of GPUs; expected {expected}")
    return directory


def take_gpus(count: int) -> None:
    """Makes as many GPUs and no others visible to this process, for as long as it lives.

    It is for torch to be imported afterwards.
    """
    if count == 0:
        os.environ["CUDA_VISIBLE_DEVICES"] = ""
        return
    gpus, slurm_job = visible_gpus(), os.environ.get("SLURM_JOB_ID")
    if slurm_job is None or len(gpus) > count:
        locks = lock_directory(Path(tempfile.gettempdir()), slurm_job)
        os.environ["CUDA_VISIBLE_DEVICES"] = ",".join(lease(gpus, count, directory=locks))


def main() -> None:
    """Becomes the command."""
    count, command = int(sys.argv[1]), sys.argv[2:]
    take_gpus(count)
    os.execvp(command[0], command)


if __name__ == "__main__":
    run_command(main)
