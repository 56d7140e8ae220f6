"""A finished run that tests look at."""

import os

import pytest

from tests.workflow.running import PROJECT, snakemake

CONFIG = PROJECT / "tests/workflow/tiny.yaml"


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


@pytest.fixture(scope="session")
def finished(tmp_path_factory):
    """A directory in which the workflow has run to its end; tests leave it finished."""
    directory = tmp_path_factory.mktemp("run")
    run = tiny(directory=directory)
    assert run.returncode == 0, (run.stdout + run.stderr)[-5000:]
    return directory
