"""Tests of what reruns after a package has changed its version in an environment."""

import shutil

import pytest

from tests.workflow.conftest import tiny
from tests.workflow.running import copy_project, job_counts

FIGURES = {
    "evaluate_cam",
    "evaluate_masks",
    "loss_curves",
    "qualitative_results",
    "report_page",
    "summarise",
}

pytestmark = pytest.mark.slow


@pytest.fixture
def in_conda(finished, fake_conda, tmp_path):
    """A project, and a run of it that is finished as if it had been made with `--sdm conda`."""
    project = copy_project(tmp_path / "project")
    shutil.copytree(finished, tmp_path / "run", symlinks=True)

    def run(*options):
        return tiny(
            *("--sdm", "conda", *options),
            directory=tmp_path / "run",
            project=project,
            environment=fake_conda,
        )

    assert run("--touch").returncode == 0
    assert job_counts(run("--dry-run")) == {}
    return project, run


def test_another_package_of_figures_draws_them_anew_and_trains_nothing(in_conda):
    project, run = in_conda
    environment = project / "envs/figures.yaml"
    environment.write_text(environment.read_text().replace("matplotlib==", "matplotlib==99."))
    assert set(job_counts(run("--dry-run"))) == FIGURES


def test_another_package_of_networks_trains_anew(in_conda):
    project, run = in_conda
    environment = project / "envs/networks.yaml"
    environment.write_text(environment.read_text().replace("timm==", "timm==99."))
    assert job_counts(run("--dry-run"))["train_classifier"] == 4
