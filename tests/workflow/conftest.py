"""Fixtures: a finished run of the workflow."""

import os
import subprocess
from hashlib import sha256

import pytest
from filelock import FileLock

from tests.workflow.running import PROJECT, snakemake

CONFIG = PROJECT / "tests/workflow/tiny.yaml"
RESULTS = ("**/*.pt", "**/*.npz", "**/*.png", "summary.csv")

# Stands for conda: its environments are empty folders, in which the test's own Python is found.
CONDA = """#!/bin/sh
case "$*" in
*info*) echo '{"conda_prefix": "PREFIX", "platform": "linux-64"}' ;;
*--version*) echo conda 99.1.0 ;;
*channel_priority*) echo '{"get": {"channel_priority": "strict"}}' ;;
*create*) while [ "$1" != --prefix ]; do shift; done; mkdir -p "$2/conda-meta" ;;
esac
"""


def tiny(*arguments, directory, project=PROJECT, changes=(), environment=os.environ):
    """Runs the workflow of the tiny config, with files of changes laid over it."""
    files = ("--configfile", CONFIG, *changes)  # first: it takes all words up to the next option
    limits = ("--cores", "2", "--max-threads", "1")  # two jobs at once: they mostly start up
    return snakemake(
        *(*files, *limits, *arguments),
        directory=directory,
        project=project,
        environment=environment,
    )


def result_digests(directory):
    """Digests of the networks, maps, masks and scores of a run of it, by their names.

    The paper's figures are left out: another test may have made them in the finished run.
    """
    root = directory / "results/tiny"
    paths = {path for pattern in RESULTS for path in root.glob(pattern) if path.is_file()}
    names = {str(path.relative_to(root)): path for path in paths}
    return {
        name: sha256(path.read_bytes()).hexdigest()
        for name, path in names.items()
        if not name.startswith("paper/")
    }


@pytest.fixture(scope="session")
def finished(tmp_path_factory):
    """A directory in which the workflow has run to its end; tests leave it finished.

    Each process of pytest-xdist gets a copy of one run.
    """
    shared = tmp_path_factory.getbasetemp()
    if "PYTEST_XDIST_WORKER" in os.environ:
        shared = shared.parent
    original = shared / "finished"
    with FileLock(shared / "finished.lock"):
        if not original.is_dir():
            directory = tmp_path_factory.mktemp("run")
            run = tiny(directory=directory)
            assert run.returncode == 0, (run.stdout + run.stderr)[-5000:]
            directory.rename(original)
    copy = tmp_path_factory.mktemp("copy") / "run"
    subprocess.run(["cp", "--archive", original, copy], check=True)  # with hard links and times
    return copy


@pytest.fixture
def fake_conda(tmp_path):
    """An environment of processes with that conda."""
    folder = tmp_path / "conda/bin"
    folder.mkdir(parents=True)
    (folder / "activate").touch()
    (folder / "conda").write_text(CONDA.replace("PREFIX", str(folder.parent)))
    (folder / "conda").chmod(0o755)
    return {**os.environ, "PATH": f"{folder}:{os.environ['PATH']}"}
