"""Runs a command on GPUs that no other job on this machine uses.

    python -m wsss_core.workflow.gpu_lease 1 python -m workflow_scripts.infer_cam ...

Training programs lock their GPUs themselves, after they have found no finished training in the
store.

There is a lock file for each GPU. The process that holds the lock uses the GPU. The process then
becomes the command and keeps its locks. The kernel frees them when the process ends for any
reason, so that no lock is ever stale. A Slurm job with no more GPUs than requested uses all GPUs
that Slurm gave it, without locks.
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
    """Lists the GPUs that may be used: those of CUDA_VISIBLE_DEVICES if it is set, else all."""
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
    """Locks some GPUs for the lifetime of this process; waits until enough are free.

    Args:
        gpus: Names of the GPUs that may be used.
        count: Number of GPUs to lock.
        directory: Folder of the locks, from `lock_directory`.

    Returns:
        The names of the locked GPUs.
    """
    if count > len(gpus):
        raise UserError(
            f"the job asks for {count} GPUs; expected at most {len(gpus)}, the number that this "
            f"machine has: --resources gpu={len(gpus)}"
        )
    waits = False
    while True:
        held = _lock_free(gpus, count, directory)
        if len(held) == count:
            break
        # Locks are not kept while waiting for more GPUs. Otherwise two jobs with half of their
        # GPUs would wait for each other for ever.
        for descriptor in held.values():
            os.close(descriptor)
        if not waits:
            sys.stderr.write(f"waiting until {count} of the GPUs {', '.join(gpus)} are free\n")
        waits = True
        time.sleep(POLL_SECONDS)
    for descriptor in held.values():
        fcntl.fcntl(descriptor, fcntl.F_SETFD, 0)  # the command inherits it
    return list(held)


def _lock_free(gpus: Sequence[str], count: int, directory: Path) -> dict[str, int]:
    """Locks the first free GPUs, at most `count`; returns the file descriptors of the locks."""
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
    """Opens a lock file, which may belong to another user; creates it if it is missing.

    In a world-writable sticky directory, Linux does not open another user's file with O_CREAT.
    """
    try:
        return os.open(path, os.O_RDONLY | os.O_NOFOLLOW)
    except FileNotFoundError:
        return os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_CREAT, 0o444)


def lock_directory(parent: Path, slurm_job: str | None) -> Path:
    """Creates the directory of the locks if it is missing.

    All users of a machine share one directory. A Slurm job has its own, because its GPUs belong to
    it alone and their numbers may equal those of another job's GPUs.

    Raises:
        UserError: Another user has created a link or a file with this name, or the job's directory.
    """
    mode = 0o1777 if slurm_job is None else 0o700  # sticky: users cannot remove the files of others
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
        raise UserError(f"{directory}: cannot be used for GPU locks; expected {expected}")
    return directory


def take_gpus(count: int) -> None:
    """Makes `count` GPUs, and no others, visible to this process for its lifetime.

    It must be called before torch is imported.
    """
    if count == 0:
        os.environ["CUDA_VISIBLE_DEVICES"] = ""
        return
    gpus, slurm_job = visible_gpus(), os.environ.get("SLURM_JOB_ID")
    if slurm_job is None or len(gpus) > count:
        locks = lock_directory(Path(tempfile.gettempdir()), slurm_job)
        os.environ["CUDA_VISIBLE_DEVICES"] = ",".join(lease(gpus, count, directory=locks))


def main() -> None:
    """Takes the GPUs and replaces this process by the command."""
    count, command = int(sys.argv[1]), sys.argv[2:]
    take_gpus(count)
    os.execvp(command[0], command)


if __name__ == "__main__":
    run_command(main)
