"""Tests of the workflow on a real Slurm with simulated GPUs, including faults."""

import csv
import json
import shutil

import pytest

from tests.workflow import private_slurm
from tests.workflow.running import PROJECT, copy_project, snakemake

pytestmark = [
    pytest.mark.slow,
    pytest.mark.slurm,
    pytest.mark.skipif(private_slurm.why_not() is not None, reason=str(private_slurm.why_not())),
]

NUM_GPUS = 4
STEPS = 18  # of the trainings below: 18 images, two at a time, twice
# The training is stopped after a minute, however slow its steps; in the end there is time enough.
STOPPED_ONCE = "runtime=1 if attempt == 1 else 30"
STOPPED_TWICE = "runtime=1 if attempt <= 2 else 30"
TINY = PROJECT / "tests/workflow/tiny.yaml"


@pytest.fixture(scope="module")
def cluster(tmp_path_factory):
    """The environment of a login node."""
    with private_slurm.running(
        tmp_path_factory.mktemp("slurm") / "root", num_gpus=NUM_GPUS
    ) as environment:
        yield environment


@pytest.fixture(scope="module")
def project(tmp_path_factory):
    """A copy of the project for which GPUs need not be there."""
    root = copy_project(tmp_path_factory.mktemp("project") / "root")
    shutil.copy(PROJECT / "tests/workflow/fake_gpus.py", root / "wsss_core/runtime/devices.py")
    return root


class Finished:
    """What a run with faults has left."""

    def __init__(self, directory, run):
        assert run.returncode == 0, (run.stdout + run.stderr)[-5000:]
        self.results = directory / "results/tiny"
        self.told = run.stdout + run.stderr
        self.faults_left = list((directory / "faults").iterdir())
        self.jobs = [json.loads(path.read_text()) for path in directory.glob("gpus/*.json")]

    def of(self, script):
        jobs = [job for job in self.jobs if job["script"] == script]
        return sorted(jobs, key=lambda job: job["started"])

    def scored(self):
        with (self.results / "summary.csv").open(newline="") as file:
            return [(row["stage"], row["split"]) for row in csv.DictReader(file)]


def run_with_faults(profile, *options, directory, project, environment, config, faults):
    (directory / "faults").mkdir()
    for script, kind in faults.items():
        (directory / "faults" / script).write_text(kind)
    (directory / "few.yaml").write_text(config)
    options = ("--configfile", TINY, "few.yaml", "--latency-wait", "10", *options)
    return Finished(
        directory,
        snakemake(
            *("--workflow-profile", project / "profiles" / profile, *options),
            directory=directory,
            project=project,
            environment=environment,
        ),
    )


@pytest.fixture(scope="module")
def slurm_run(tmp_path_factory, cluster, project):
    """A method to its end: one job fails, one vanishes, one training is preempted, one too long."""
    return run_with_faults(
        "slurm",
        *("--slurm-init-seconds-before-status-checks", "4", "--set-resources"),
        *("train_classifier:gpu=1", "train_affinity:gpu=2", "train_segmenter:gpu=1"),
        f"train_segmenter:{STOPPED_TWICE}",
        directory=tmp_path_factory.mktemp("slurm_run"),
        project=project,
        environment=cluster,
        config="runs: [{method: seam, seeds: [0], until: segmentation}]\n"
        "classifier: {batch_size: 2}\n"
        "segmenter: {batch_size: 2, epochs: 2}",
        faults={
            "train_classifier": "requeue",
            "infer_cam": "fail",
            "random_walk": "vanish",
            "train_segmenter": "slow slow",
        },
    )


@pytest.fixture(scope="module")
def generic_run(tmp_path_factory, cluster, project):
    """A method as far as its CAM, with the same faults, by sbatch itself."""
    return run_with_faults(
        "cluster-generic",
        *("--set-resources", "train_classifier:gpu=1", f"train_classifier:{STOPPED_ONCE}"),
        directory=tmp_path_factory.mktemp("generic_run"),
        project=project,
        environment=cluster,
        config="runs: [{method: cam, seeds: [0], until: cam}]\n"
        "classifier: {batch_size: 2}\nmethods: {cam: {epochs: 2}}",
        faults={"infer_cam": "fail", "train_classifier": "slow"},
    )


@pytest.fixture(scope="module", params=["slurm_run", "generic_run"])
def finished(request):
    return request.getfixturevalue(request.param)


def test_slurm_runs_every_stage(slurm_run):
    stages = ["cam", "random_walk", "segmentation", "segmentation_crf"]
    assert slurm_run.scored() == [(stage, split) for stage in stages for split in ("train", "val")]


def test_cluster_generic_runs_what_was_asked_for(generic_run):
    assert generic_run.scored() == [("cam", "train"), ("cam", "val")]


def test_every_job_sees_the_gpus_it_asked_for(finished):
    assert finished.jobs
    for job in finished.jobs:
        assert len(set(job["names"])) == job["asked"] >= 1
        assert set(job["names"]) <= {str(i) for i in range(NUM_GPUS)}


def test_jobs_at_the_same_time_never_share_a_gpu(finished):
    def overlap(a, b):
        return a["started"] < b["ended"] and b["started"] < a["ended"]

    pairs = [(a, b) for a in finished.jobs for b in finished.jobs if a is not b and overlap(a, b)]
    shared = [(a, b) for a, b in pairs if {*a["names"]} & {*b["names"]}]
    # The processes of one training see the same GPUs, of which each takes its own.
    assert all(a["script"] == b["script"] and a["asked"] == 2 for a, b in shared)


def test_a_training_is_spread_over_the_gpus_of_its_job(slurm_run):
    first, second = slurm_run.of("train_affinity")
    assert first["names"] == second["names"]
    assert first["steps"] == second["steps"] > 0


def test_a_job_that_fails_once_is_sent_again(finished):
    assert finished.faults_left == []
    assert len(finished.of("infer_cam")) == 2 + 1  # shards, and the one that failed
    assert "Trying to restart job" in finished.told


def test_a_job_that_vanishes_is_sent_again(slurm_run):
    """Killed with its shell, as when a node breaks down: it says nothing, and leaves no output."""
    assert len(slurm_run.of("random_walk")) == 2  # shards; the one that vanished noted nothing
    masks = slurm_run.results / "seam/seed0/random_walk"
    assert {path.name for path in masks.iterdir()} == {"eval-0", "eval-1"}


@pytest.mark.parametrize(
    ("run", "script", "place", "num_jobs"),
    [
        ("slurm_run", "train_segmenter", "seam/seed0/segmenter", 3),
        ("generic_run", "train_classifier", "cam/seed0/classifier", 2),
    ],
)
def test_a_training_longer_than_its_time_limit_ends_in_several_jobs(
    request, run, script, place, num_jobs
):
    """No step is lost, and none done twice."""
    finished = request.getfixturevalue(run)
    steps = [job["steps"] for job in finished.of(script)]
    assert len(steps) == num_jobs and all(steps)
    assert sum(steps) == STEPS
    history = (finished.results / place / "history.csv").read_text().splitlines()
    assert [line.split(",")[0] for line in history] == ["step", "10", "18"]


def test_a_training_that_slurm_queues_again_goes_on(slurm_run):
    """As after preemption: the same job runs twice, which Snakemake does not count as a failure."""
    first, second = slurm_run.of("train_classifier")
    assert first["steps"] >= 3 and second["steps"] > 0
    assert first["steps"] + second["steps"] == STEPS // 2
