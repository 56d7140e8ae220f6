"""Tests of trainings, started by Snakemake, that are stopped from outside and resume."""

import os
import shutil
import signal
import subprocess
import sys
import time
from contextlib import contextmanager

import pytest
import torch

from tests.workflow.running import PROJECT, commands, job_counts, snakemake

TARGET = "results/tiny/cam/seed0/classifier/weights.pt"
STATE = "results/tiny/cam/seed0/classifier/state/state.pt"
EVENTS = "results/tiny/cam/seed0/classifier/tensorboard/events*"
LOG = "results/tiny/cam/seed0/logs/train_classifier.log"
LONG = ("--config", "methods={cam: {epochs: 30}}")
OPTIONS = (TARGET, "--cores", "1", "--configfile", PROJECT / "tests/workflow/tiny.yaml", *LONG)
SNAKEFILE = ("--snakefile", PROJECT / "Snakefile")
STEPS = 2 * 30


# A program that takes a while to end, and has something to say then.
SLOW = """
import signal, sys, time
def end(number, frame):
    signal.signal(number, signal.SIG_IGN)
    time.sleep(2)
    print("saved", flush=True)
    sys.exit(128 + number)
signal.signal(signal.SIGTERM, end)
signal.signal(signal.SIGINT, end)
print("ready", flush=True)
time.sleep(60)
"""
RULE = f"""
include: "{PROJECT}/rules/common/shell.smk"
rule slow:
    output: "never"
    log: "slow.log"
    shell: "python slow.py 2>&1 | tee -i {{log}}"
"""


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_the_shell_of_a_job_waits_for_its_program(tmp_path, number):
    (tmp_path / "slow.py").write_text(SLOW)
    (tmp_path / "Snakefile").write_text(RULE)
    log = tmp_path / "slow.log"
    with running(tmp_path, "--cores", "1") as run:
        wait_for(lambda: log.exists() and log.read_text(), seconds=60)
        os.killpg(run.pid, number)
        wait_for(lambda: run.poll() is not None, seconds=20)
        assert log.read_text() == "ready\nsaved\n"
        assert not group_lives(run.pid)
    assert run.returncode != 0
    told = (tmp_path / "stderr").read_text()
    assert number == signal.SIGINT or f"exit status {128 + number}" in told, told


@pytest.fixture(scope="module")
def uninterrupted(tmp_path_factory):
    """A directory in which the classifier was trained without a break."""
    directory = tmp_path_factory.mktemp("uninterrupted")
    assert job_counts(snakemake(*OPTIONS, directory=directory))["train_classifier"] == 1
    return directory


@pytest.fixture
def prepared(uninterrupted, tmp_path):
    """One in which the dataset is there, and no training."""
    shutil.copytree(uninterrupted, tmp_path / "run")
    for trained in ("tiny/cam", "store"):
        shutil.rmtree(tmp_path / "run/results" / trained)
    return tmp_path / "run"


@contextmanager
def running(directory, *options):
    """Snakemake with its jobs, a process group of their own."""
    with subprocess.Popen(
        [sys.executable, "-m", "snakemake", *options],
        cwd=directory,
        start_new_session=True,
        stdout=subprocess.DEVNULL,
        stderr=(directory / "stderr").open("w"),
    ) as run:
        try:
            yield run
        finally:
            if group_lives(run.pid):
                os.killpg(run.pid, signal.SIGKILL)


def group_lives(group):
    try:
        os.killpg(group, 0)
    except ProcessLookupError:
        return False
    return True


def wait_for(condition, *, seconds):
    start = time.monotonic()
    while not condition():
        assert time.monotonic() - start < seconds
        time.sleep(0.05)


def assert_goes_on(directory, uninterrupted):
    """The next run does what is left, and ends with the weights and the curve of the other."""
    step = torch.load(directory / STATE)["step"]
    assert 0 < step < STEPS
    done = snakemake(*OPTIONS, directory=directory)
    assert job_counts(done) == {"train_classifier": 1}
    ours, theirs = (
        torch.load(where / TARGET)["state_dict"] for where in (directory, uninterrupted)
    )
    assert all(torch.equal(ours[name], theirs[name]) for name in theirs)
    history = TARGET.replace("weights.pt", "history.csv")
    assert (directory / history).read_text() == (uninterrupted / history).read_text()
    assert not (directory / STATE).exists()


@pytest.mark.parametrize(
    "number", [signal.SIGTERM, pytest.param(signal.SIGINT, marks=pytest.mark.slow)]
)
def test_a_signal_to_all_processes_saves_the_state(prepared, uninterrupted, number):
    with running(prepared, *SNAKEFILE, *OPTIONS) as run:
        wait_for(lambda: [*prepared.glob(EVENTS)], seconds=60)
        time.sleep(1.5)  # some steps
        os.killpg(run.pid, number)
        wait_for(lambda: run.poll() is not None, seconds=20)
        assert run.returncode != 0
        assert (prepared / STATE).exists()
        wait_for(lambda: not group_lives(run.pid), seconds=5)
    assert not (prepared / TARGET).exists()
    assert "Traceback" not in (prepared / LOG).read_text()
    assert_goes_on(prepared, uninterrupted)


def test_how_often_states_are_saved_is_no_part_of_the_result(uninterrupted, tmp_path):
    (tmp_path / "often.yaml").write_text("checkpoint_minutes: 3")
    files = ("--configfile", PROJECT / "tests/workflow/tiny.yaml", tmp_path / "often.yaml")
    options = (TARGET, "--dry-run", "--printshellcmds", *files, *LONG)
    assert job_counts(snakemake(*options, directory=uninterrupted)) == {}
    again = snakemake(*options, "--forcerun", "train_classifier", directory=uninterrupted)
    (command,) = commands(again, "train_classifier")
    assert command.option("checkpoint-minutes") == "3"


@pytest.mark.slow
def test_a_power_cut_costs_what_was_not_saved(prepared, uninterrupted):
    always = ("--set-resources", "train_classifier:checkpoint_minutes=0")
    with running(prepared, *SNAKEFILE, *OPTIONS, *always) as run:
        wait_for((prepared / STATE).exists, seconds=60)
        os.killpg(run.pid, signal.SIGKILL)
        run.wait()
        wait_for(lambda: not group_lives(run.pid), seconds=5)
    assert snakemake("--unlock", *OPTIONS, directory=prepared).returncode == 0
    assert_goes_on(prepared, uninterrupted)
