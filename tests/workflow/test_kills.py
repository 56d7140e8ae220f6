"""Tests of a run that is killed many times in every way: the final results are unaffected."""

import os
import random
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tests.workflow.conftest import CONFIG, result_digests, tiny
from tests.workflow.running import PROJECT, job_counts

TRIALS = int(os.environ.get("WSSS_KILL_TRIALS", "1"))  # of a campaign: 30
KILLS = 4  # in each
SECONDS = (4.0, 45.0)  # from the start of a run to its end by force

pytestmark = pytest.mark.slow


def trainings_kept(directory):
    """When each training of the store was put there."""
    entries = directory.glob("results/store/[!.]*/note.json")
    return {path.parent.name: path.stat().st_mtime_ns for path in entries}


def jobs_of(session):
    """Process numbers of the programs of a run's jobs."""
    found = []
    for path in Path("/proc").glob("[0-9]*"):
        try:
            words = (path / "cmdline").read_bytes()
            if os.getsid(int(path.name)) == session and b"workflow_scripts." in words:
                found.append(int(path.name))
        except OSError:  # it has ended
            continue
    return sorted(found)


def kill(run, kind):
    """Kills all of a run, its Snakemake alone, or one process: a job's program or its shell."""
    if kind == "all":
        os.killpg(run.pid, signal.SIGKILL)
    elif kind == "snakemake":
        run.kill()
    elif jobs := jobs_of(run.pid):
        os.kill(jobs[0 if kind == "first of a job" else -1], signal.SIGKILL)


def run_and_kill(directory, kind, seconds):
    command = [sys.executable, "-m", "snakemake", "--snakefile", PROJECT / "Snakefile"]
    command += ["--directory", directory, "--configfile", CONFIG, "--cores", "2"]
    command += ["--max-threads", "1"]
    with (directory / "log").open("w") as log:
        run = subprocess.Popen(command, stdout=log, stderr=log, start_new_session=True)
    try:
        run.wait(seconds)
        return
    except subprocess.TimeoutExpired:
        kill(run, kind)
    run.wait()
    end = time.monotonic() + 60
    while jobs_of(run.pid):
        assert time.monotonic() < end, f"{kind}: jobs outlive their run"
        time.sleep(0.2)


@pytest.mark.parametrize("trial", range(TRIALS))
def test_killed_runs_end_with_equal_results_and_train_nothing_twice(finished, tmp_path, trial):
    rng = random.Random(trial)
    kinds = ["all", "snakemake", "first of a job", "last of a job"]
    kept = {}
    for kind in rng.sample(kinds, k=KILLS):
        run_and_kill(tmp_path, kind, rng.uniform(*SECONDS))
        now = trainings_kept(tmp_path)
        assert now.items() >= kept.items(), f"{kind}: a finished training was done again"
        kept = now
        if (tmp_path / ".snakemake/locks").is_dir():
            assert tiny("--unlock", directory=tmp_path).returncode == 0
    run = tiny(directory=tmp_path)
    assert run.returncode == 0, (run.stdout + run.stderr)[-5000:]
    assert trainings_kept(tmp_path).items() >= kept.items()
    assert result_digests(tmp_path) == result_digests(finished)
    assert job_counts(tiny("--dry-run", directory=tmp_path)) == {}
