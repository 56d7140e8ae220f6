"""Tests of simultaneous runs: two experiments in one folder, and two checkouts."""

from concurrent.futures import ThreadPoolExecutor
from hashlib import sha256

import pytest
import torch

from tests.workflow.conftest import tiny
from tests.workflow.running import PROJECT, copy_project, job_counts

RUN = "runs: [{method: cam, seeds: [0], until: cam}]\n"
# A loss of its own would be another training; a map of its own is not.
EXPERIMENTS = {"first": RUN + "name: first", "second": RUN + "name: second\ncam: {flip: true}"}
ALL_JOBS = {
    *("train_classifier", "infer_cam", "evaluate_cam", "summarise"),
    *("loss_curves", "qualitative_results", "report_page"),
}

pytestmark = pytest.mark.slow


def start(name, *options, directory, project=PROJECT):
    (directory / f"{name}.yaml").write_text(EXPERIMENTS[name])
    return tiny(*options, directory=directory, project=project, changes=[f"{name}.yaml"])


def digest(directory, name):
    """Of the tensors: the file also tells of which commit its code was."""
    path = directory / f"results/{name}/cam/seed0/classifier/weights.pt"
    tensors = torch.load(path, weights_only=True)["state_dict"]
    content = [(key, tensor.numpy().tobytes()) for key, tensor in sorted(tensors.items())]
    return sha256(repr(content).encode()).hexdigest()


def test_experiments_and_checkouts_at_the_same_time(tmp_path):
    ours, theirs = tmp_path / "ours", tmp_path / "theirs"
    checkout = copy_project(tmp_path / "checkout")
    for directory in (ours, theirs):
        directory.mkdir()
    # What two experiments share is made by one: Snakemake refuses a second run that would make it.
    shared = ["results/tiny/data/labels.csv", "results/weights/efficientnet-lite0-db8cf2e8.json"]
    assert start("first", *shared, directory=ours).returncode == 0
    with ThreadPoolExecutor(3) as pool:
        runs = [
            pool.submit(start, "first", directory=ours),
            pool.submit(start, "second", directory=ours),
            pool.submit(start, "second", directory=theirs, project=checkout),
        ]
        first, second, other = (run.result() for run in runs)
    assert set(job_counts(first)) == set(job_counts(second)) == ALL_JOBS
    assert set(job_counts(other)) == ALL_JOBS | {"prepare_dataset", "obtain_weights"}
    # The training that both experiments of a folder need is done by one, for which the other waits.
    taken = ["trained before; taken from" in run.stdout + run.stderr for run in (first, second)]
    assert sorted(taken) == [False, True]
    trained = {digest(ours, "first"), digest(ours, "second")}
    assert trained == {digest(theirs, "second")}
    for name in EXPERIMENTS:
        assert job_counts(start(name, "--dry-run", directory=ours)) == {}
