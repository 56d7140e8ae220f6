"""Tests of whether the owner of a lock is alive, by the processes of this machine."""

import os
import subprocess
import sys

import pytest

from wsss_core.workflow.stale_lock import Process, advice, processes_in

SNAKEMAKE = Process(7, ["/x/bin/python", "/x/bin/snakemake", "--cores", "all"])
AS_MODULE = Process(8, ["python", "-m", "snakemake", "-n"])
JOB = Process(9, ["python", "-m", "workflow_scripts.train_classifier", "--seed", "0"])
SHELL = Process(10, ["bash"])


@pytest.fixture
def locked(tmp_path):
    locks = tmp_path / ".snakemake/locks"
    locks.mkdir(parents=True)
    (locks / "0.input.lock").write_text("")
    return tmp_path


def test_without_a_lock_there_is_nothing_to_say(tmp_path):
    assert advice(tmp_path, []) is None
    (tmp_path / ".snakemake/locks").mkdir(parents=True)
    assert advice(tmp_path, [JOB]) is None


@pytest.mark.parametrize("owner", [SNAKEMAKE, AS_MODULE])
def test_an_owner_that_is_alive_keeps_its_lock(locked, owner):
    assert advice(locked, [SHELL, owner, JOB]) is None


def test_a_lock_that_nobody_holds_may_go(locked):
    assert "no process of this machine works here" in advice(locked, [SHELL])
    assert advice(locked, []).endswith("snakemake --unlock, then the same command again")


def test_an_orphaned_job_is_named(locked):
    assert "some of its jobs still run (processes 9); wait " in advice(locked, [SHELL, JOB])


def test_processes_are_found_by_where_they_work(tmp_path):
    code = "import sys; print(flush=True); sys.stdin.read()"
    command = [sys.executable, "-c", code, "workflow_scripts.x"]
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE}
    with subprocess.Popen(command, cwd=tmp_path, **pipes) as process:
        process.stdout.readline()
        (found,) = processes_in(tmp_path)
        assert (found.pid, found.is_job, found.is_snakemake) == (process.pid, True, False)
        process.stdin.close()
    assert list(processes_in(tmp_path)) == []
    assert os.getpid() not in [process.pid for process in processes_in(tmp_path)]
