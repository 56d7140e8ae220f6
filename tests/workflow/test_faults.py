"""Tests of external faults: they are reported, and the next run gives the right results."""

import os
import shutil
import signal
import subprocess
import sys
import time
from contextlib import contextmanager

import pytest
import torch

from tests.runtime.small_disk import small_disk
from tests.workflow.conftest import CONFIG, tiny
from tests.workflow.running import PROJECT, job_counts

WEIGHTS = "results/tiny/cam/seed0/classifier/weights.pt"
CAMS = "results/tiny/cam/seed0/cam/eval-0.npz"
SEEDS = "results/tiny/seam/seed0/crf_seeds/eval-0.npz"

pytestmark = pytest.mark.slow


@pytest.fixture
def disk(tmp_path):
    """A disk of its own for results, which is mounted with other options by calling this."""
    with small_disk(tmp_path / "results", "size=64m") as remount:
        yield remount


def told(run):
    """The lines of a failed run that say why."""
    assert run.returncode != 0, run.stdout + run.stderr
    return (run.stdout + run.stderr).splitlines()


def finish(directory, target):
    """The next plain call ends well, and there is nothing left to do."""
    run = tiny(target, directory=directory)
    assert run.returncode == 0, (run.stdout + run.stderr)[-3000:]
    assert job_counts(tiny(target, "--dry-run", directory=directory)) == {}


def test_a_full_disk(tmp_path, disk):
    disk("size=2m")  # the network has 13
    lines = told(tiny(WEIGHTS, directory=tmp_path))
    assert any("No space left on device; expected more room" in line for line in lines), lines
    assert not any("Traceback" in line for line in lines)
    disk("size=256m")
    finish(tmp_path, WEIGHTS)


def test_a_read_only_folder(tmp_path, disk):
    disk("ro")
    lines = told(tiny(WEIGHTS, directory=tmp_path))
    assert any("Read-only file system" in line for line in lines), lines
    disk("rw")
    finish(tmp_path, WEIGHTS)


@contextmanager
def started(directory, target):
    """A run that is under way, in a process group of its own."""
    command = [sys.executable, "-m", "snakemake", "--snakefile", PROJECT / "Snakefile"]
    command += ["--directory", directory, "--configfile", CONFIG, "--cores", "1", target]
    with (directory / "log").open("w") as log:
        run = subprocess.Popen(command, stdout=log, stderr=log, start_new_session=True)
        try:
            yield run
        finally:
            if run.poll() is None:
                os.killpg(run.pid, signal.SIGKILL)
            run.wait()


def wait_for(path, seconds=120):
    end = time.monotonic() + seconds
    while not path.exists():
        assert time.monotonic() < end, f"{path} did not appear"
        time.sleep(0.1)


def test_two_runs_in_one_folder(tmp_path):
    with started(tmp_path, WEIGHTS) as first:
        wait_for(tmp_path / "results/tiny/cam/seed0/logs/train_classifier.log")
        os.killpg(first.pid, signal.SIGSTOP)  # so that it is not over before the other one looks
        lines = told(tiny(WEIGHTS, directory=tmp_path))
        os.killpg(first.pid, signal.SIGCONT)
        assert any("cannot be locked" in line for line in lines), lines
        assert first.wait() == 0
    assert job_counts(tiny(WEIGHTS, "--dry-run", directory=tmp_path)) == {}


def test_a_lock_that_a_power_cut_has_left(tmp_path):
    with started(tmp_path, WEIGHTS) as run:
        wait_for(tmp_path / "results/tiny/cam/seed0/logs/train_classifier.log")
        os.killpg(run.pid, signal.SIGKILL)
        run.wait()
    lines = told(tiny(WEIGHTS, directory=tmp_path))
    told_how = "a run was killed and left its lock; no process of this machine works here"
    assert any(told_how in line for line in lines), lines
    assert tiny("--unlock", directory=tmp_path).returncode == 0
    finish(tmp_path, WEIGHTS)


def test_a_worker_that_is_killed_for_its_memory(finished, tmp_path):
    copy = tmp_path / "copy"
    shutil.copytree(finished, copy, symlinks=True)
    (copy / SEEDS).unlink()
    with started(copy, SEEDS) as run:
        kill_a_worker_of("workflow_scripts.crf_seeds", session=run.pid)
        assert run.wait() != 0
    lines = (copy / "log").read_text()
    assert "error: a process of this job was killed, probably because memory ran out" in lines
    assert "Traceback" not in lines
    assert not (copy / SEEDS).exists()
    finish(copy, SEEDS)


def kill_a_worker_of(program, *, session, seconds=60):
    """Kills a process that such a program of a session has spawned, as the kernel does."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        parents = pids("-s", str(session), "-f", "--", f"-m {program}")
        workers = [w for p in parents for w in pids("-P", p, "-f", "spawn_main")]
        if workers:
            os.kill(int(workers[0]), signal.SIGKILL)
            return
        time.sleep(0.05)
    pytest.fail(f"{program} spawned no process")


def pids(*pattern):
    found = subprocess.run(["pgrep", *pattern], capture_output=True, text=True, check=False)
    assert not found.stderr, found.stderr
    return found.stdout.split()


@pytest.mark.parametrize("hours", [-24 * 400, 24 * 400])
def test_a_clock_that_jumps(finished, tmp_path, hours):
    """Files from another time than the rest change no result, whatever is made again."""
    copy = tmp_path / "copy"
    shutil.copytree(finished, copy, symlinks=True)
    then = time.time() + 3600 * hours
    for path in (copy / "results/tiny/cam").rglob("*"):
        if path.is_file():
            os.utime(path, (then, then))
    before = (copy / CAMS).read_bytes()
    finish(copy, CAMS)
    assert (copy / CAMS).read_bytes() == before


def test_results_of_an_older_version(finished, tmp_path):
    """A weights file of another form is made anew, with all that depends on it, or named."""
    copy = tmp_path / "copy"
    shutil.copytree(finished, copy, symlinks=True)
    content = torch.load(copy / WEIGHTS, weights_only=True)
    torch.save({"format": 0, "state_dict": content["state_dict"]}, copy / WEIGHTS)
    (copy / CAMS).unlink()
    lines = told(tiny(CAMS, directory=copy))
    assert any("error: " in line and "weights.pt" in line for line in lines), lines
    assert not any("Traceback" in line for line in lines)
    (copy / WEIGHTS).unlink()
    finish(copy, CAMS)
