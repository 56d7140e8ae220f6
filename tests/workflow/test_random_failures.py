"""Tests of a run on Slurm in which jobs are killed at random: the results are unaffected."""

import random
import subprocess
import threading

import pytest

from tests.workflow import private_slurm
from tests.workflow.conftest import CONFIG, result_digests
from tests.workflow.running import PROJECT, job_counts, snakemake

SHARE = 0.05  # of all jobs that are submitted
SECONDS = 6.0  # within which a job that is to be killed is, once it has been submitted
SEED = 16  # kills the jobs 6, 14, 37 and 45, if they last until then
TRAIN = ("train_classifier", "train_affinity", "train_segmenter")
WITHOUT_GPU = [f"{rule}:gpu=0" for rule in (*TRAIN, "infer_cam", "random_walk", "segment")]

pytestmark = [
    pytest.mark.slow,
    pytest.mark.slurm,
    pytest.mark.skipif(private_slurm.why_not() is not None, reason=str(private_slurm.why_not())),
]


class Killer(threading.Thread):
    """Kills jobs of a Slurm with all their processes, as when a node loses its power."""

    def __init__(self, environment):
        super().__init__()
        self.environment = environment
        self.done = threading.Event()
        self.killed = []
        self.left = {}  # seconds until a job is killed; none for most

    def run(self):
        while not self.done.wait(1):
            for job in self.ask("squeue", "--noheader", "--format=%A").split():
                if job not in self.left:
                    rng = random.Random(f"{SEED} {job}")
                    is_chosen = rng.random() < SHARE
                    self.left[job] = rng.uniform(1, SECONDS) if is_chosen else float("inf")
                self.left[job] -= 1
                if self.left[job] <= 0 and job not in self.killed:
                    self.ask("scancel", "--signal=KILL", "--full", job)
                    self.killed.append(job)

    def ask(self, *command):
        return subprocess.run(
            command, env=self.environment, capture_output=True, text=True, check=False
        ).stdout


def test_a_run_of_which_jobs_are_killed_at_random_ends_with_equal_results(
    finished, tmp_path, record_property
):
    run_folder = tmp_path / "run"
    run_folder.mkdir()
    with private_slurm.running(tmp_path / "root") as environment:
        killer = Killer(environment)
        killer.start()
        try:
            run = snakemake(
                *("--workflow-profile", PROJECT / "profiles/slurm", "--configfile", CONFIG),
                *("--max-threads", "1", "--latency-wait", "10", "--set-resources", *WITHOUT_GPU),
                directory=run_folder,
                environment=environment,
            )
        finally:
            killer.done.set()
            killer.join()
    assert run.returncode == 0, (run.stdout + run.stderr)[-5000:]
    started_again = (run.stdout + run.stderr).count("Trying to restart job")
    assert 1 <= started_again <= len(killer.killed)
    record_property("jobs, killed, started again", (len(killer.left), killer.killed, started_again))
    assert result_digests(run_folder) == result_digests(finished)
    again = snakemake("--dry-run", "--configfile", CONFIG, directory=run_folder)
    assert job_counts(again) == {}
