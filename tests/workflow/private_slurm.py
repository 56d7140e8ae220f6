"""A private Slurm of one node for a test: real daemons and job steps, simulated GPUs.

Slurm accepts character devices as GPUs, so each simulated GPU is a device without a driver. The
node claims more processors and memory than the machine has, because the rules request those of a
server.
"""

import os
import shutil
import socket
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

PROGRAMS = ("munged", "slurmctld", "slurmd", "sbatch", "squeue", "scancel", "srun")
DAEMON_SECONDS = 30.0
# Not a driver's number: "experimental" in the kernel's list of devices.
DEVICE_NUMBER = 240

CONFIG = """\
ClusterName=test
SlurmctldHost={host}(127.0.0.1)
SlurmctldPort={ctld_port}
SlurmdPort={slurmd_port}
SlurmUser=root
SlurmdUser=root
AuthType=auth/munge
# A job that is queued again waits until its credentials have expired.
AuthInfo=socket={root}/munge/sock,cred_expire=15
StateSaveLocation={root}/ctld
SlurmdSpoolDir={root}/slurmd
SlurmctldPidFile={root}/ctld/pid
SlurmdPidFile={root}/slurmd/pid
SlurmctldLogFile={root}/log/slurmctld.log
SlurmdLogFile={root}/log/slurmd.log
# Processes are found by their parents, without cgroups.
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
MpiDefault=none
SelectType=select/cons_tres
SelectTypeParameters=CR_Core_Memory
SchedulerParameters=sched_interval=1,batch_sched_delay=0,sched_min_interval=0,bf_interval=1
AccountingStorageType=accounting_storage/none
JobAcctGatherType=jobacct_gather/none
ReturnToService=2
GresTypes=gpu
SlurmdParameters=config_overrides
NodeName={host} NodeAddr=127.0.0.1 CPUs=16 RealMemory=256000 Gres=gpu:{num_gpus} State=UNKNOWN
PartitionName=main Nodes={host} Default=YES MaxTime=INFINITE State=UP
"""


def why_not() -> str | None:
    """Why no Slurm can be started here, in words; None where it can be."""
    missing = [name for name in PROGRAMS if shutil.which(name, path=_path()) is None]
    if missing:
        return f"no {', '.join(missing)} here: apt-get install slurmctld slurmd munge"
    if os.geteuid() != 0:
        return "only root can make the devices that stand for GPUs"
    return None


@contextmanager
def running(root: Path, *, num_gpus: int = 4) -> Iterator[dict[str, str]]:
    """Starts munged, slurmctld and slurmd; yields the environment in which their commands work.

    The end takes all jobs down first: their processes would outlive the daemons.
    """
    _write_files(root, num_gpus)
    environment = {
        **{name: value for name, value in os.environ.items() if not name.startswith("SLURM_")},
        "SLURM_CONF": str(root / "slurm.conf"),
        "PATH": f"{root / 'bin'}:{_path()}",
    }
    munge = root / "munge"
    munged = ["munged", "--foreground", "--force", f"--key-file={munge / 'key'}"]
    munged += [f"--socket={munge / 'sock'}", f"--pid-file={munge / 'pid'}"]
    munged += [f"--log-file={root / 'log/munged.log'}", f"--seed-file={munge / 'seed'}"]
    daemons: list[subprocess.Popen[bytes]] = []
    try:
        for command in (munged, ["slurmctld", "-D", "-i"], ["slurmd", "-D"]):
            with (root / f"log/{command[0]}.out").open("wb") as output:
                daemons += [
                    subprocess.Popen(
                        command, env=environment, stdout=output, stderr=subprocess.STDOUT
                    )
                ]
            if command is munged:
                _wait_for((munge / "sock").exists, f"munged: see {root / 'log'}")
        idle = ["sinfo", "--noheader", "--format=%T"]
        _wait_for(lambda: _answer(idle, environment) == "idle", f"slurmd: see {root / 'log'}")
        yield environment
    finally:
        if len(daemons) == 3:
            _answer(["scancel", "--full", "--partition=main"], environment)
            _wait_for(lambda: not _answer(["squeue", "--noheader"], environment), "jobs to end")
        for daemon in reversed(daemons):
            daemon.terminate()
            daemon.wait(DAEMON_SECONDS)


def _write_files(root: Path, num_gpus: int) -> None:
    for name in ("bin", "ctld", "dev", "log", "munge", "slurmd"):
        (root / name).mkdir(parents=True)
    root.chmod(0o755)
    (root / "munge").chmod(0o700)  # munged asks for that, and for a key that nobody else reads
    (root / "munge/key").touch(0o600)
    (root / "munge/key").write_bytes(os.urandom(1024))
    for i in range(num_gpus):
        os.mknod(root / f"dev/gpu{i}", 0o20600, os.makedev(DEVICE_NUMBER, i))
    host = socket.gethostname().split(".")[0]
    ctld_port, slurmd_port = _free_ports()
    (root / "slurm.conf").write_text(
        CONFIG.format(
            root=root, host=host, num_gpus=num_gpus, ctld_port=ctld_port, slurmd_port=slurmd_port
        )
    )
    (root / "gres.conf").write_text(
        f"NodeName={host} Name=gpu File={root}/dev/gpu[0-{num_gpus - 1}]\n"
    )
    # Snakemake's plugin takes all SLURM_* but the job's number away before it calls srun, which on
    # a cluster finds its config in /etc.
    srun = root / "bin/srun"
    srun.write_text(f'#!/bin/sh\nSLURM_CONF={root}/slurm.conf exec {shutil.which("srun")} "$@"\n')
    srun.chmod(0o755)


def _path() -> str:
    """PATH with the directory of daemons, which not every user has in it."""
    return f"{os.environ['PATH']}:/usr/sbin"


def _free_ports() -> tuple[int, int]:
    with socket.socket() as first, socket.socket() as second:
        for each in (first, second):
            each.bind(("127.0.0.1", 0))
        return first.getsockname()[1], second.getsockname()[1]


def _answer(command: list[str], environment: dict[str, str]) -> str:
    """What a command of Slurm prints, while it may still fail."""
    done = subprocess.run(
        command, env=environment, capture_output=True, text=True, check=False, timeout=20
    )
    return done.stdout.strip()


def _wait_for(condition, what: str) -> None:
    end = time.monotonic() + DAEMON_SECONDS
    while not condition():
        assert time.monotonic() < end, f"waited for {what}"
        time.sleep(0.1)
