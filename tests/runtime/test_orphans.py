"""Tests of programs whose Snakemake or shell is killed."""

import os
import signal
import subprocess
import sys

import pytest

from tests.workflow.running import PROJECT

PROGRAM = """
import os, time
from wsss_core.runtime.errors import run_command
def main():
    try:
        print(os.getpid(), flush=True)
        time.sleep({seconds})
    finally:
        print("cleaned up", flush=True)
run_command(main)
"""
# What stands for Snakemake starts a shell, and that the program.
RUN = """
import os, subprocess, sys, time
if {named}:
    os.environ["WSSS_RUN"] = str(os.getpid())
shell = subprocess.Popen(["bash", "-c", 'python=$0; "$python" -c "$1"; true', *sys.argv[1:]])
print(shell.pid, flush=True)
shell.wait()
time.sleep(60)
"""


def started(*, named=True, seconds=60):
    command = [sys.executable, "-c", RUN.format(named=named), sys.executable]
    return subprocess.Popen(
        [*command, PROGRAM.format(seconds=seconds)],
        env={key: value for key, value in os.environ.items() if key != "WSSS_RUN"}
        | {"PYTHONPATH": str(PROJECT)},
        stdout=subprocess.PIPE,
        text=True,
    )


@pytest.mark.parametrize("killed", ["snakemake", "shell"])
def test_a_program_ends_with_its_run_and_cleans_up(killed):
    with started() as run:
        pids = {"snakemake": run.pid, "shell": int(run.stdout.readline())}
        run.stdout.readline()
        os.kill(pids[killed], signal.SIGKILL)
        assert run.stdout.readline() == "cleaned up\n"
        run.kill()


def test_one_that_was_started_by_hand_goes_on():
    with started(named=False, seconds=1) as run:
        run.stdout.readline()
        program = int(run.stdout.readline())
        run.kill()
        run.wait()
        os.kill(program, 0)  # it is alive
        assert run.stdout.readline() == "cleaned up\n"  # by its own end, a second later
