"""Tests of the explanations why stages of a finished run would run again."""

import os

import pytest
import yaml

from tests.workflow.conftest import CONFIG
from tests.workflow.running import PROJECT, copy_project, job_counts, snakemake
from wsss_core.workflow.why import Job, explain, sections_of_rules

WEIGHTS = "results/tiny/sb/seed0/classifier/weights.pt"


def plan(*arguments, directory, project=PROJECT):
    """The lines with which a dry run ends: reasons, and the last one, which is about time."""
    arguments = ("--dry-run", *arguments)
    run = snakemake(*arguments, directory=directory, project=project)
    assert run.returncode == 0, run.stdout + run.stderr
    return run.stdout.rpartition("\n\n")[2].splitlines()


def lines(*arguments, directory, project=PROJECT):
    options = (*arguments, "--configfile", CONFIG)
    return plan(*options, directory=directory, project=project)[:-1]


def test_nothing_changed(finished):
    run = snakemake("--dry-run", "--configfile", CONFIG, directory=finished)
    assert run.returncode == 0
    assert run.stdout.rstrip().splitlines()[-1].startswith("Nothing to be done")


@pytest.fixture(scope="module")
def copy(tmp_path_factory):
    """A copy of the project with another smoothness loss."""
    project = copy_project(tmp_path_factory.mktemp("copy") / "project")
    with (project / "wsss_core/losses/smoothness.py").open("a") as file:
        file.write("\nANOTHER = 1\n")
    return project


def test_the_file_that_changed_is_named(finished, copy):
    assert lines(WEIGHTS, directory=finished, project=copy) == [
        "train_classifier: method=sb, seed=0",
        "    code: wsss_core/losses/smoothness.py changed",
    ]


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        (
            "methods: {sb: {smoothing: {edge_alpha: 5, canny: true}}}",
            [
                "train_classifier: method=sb, seed=0",
                "    config: methods.sb.smoothing.edge_alpha: 10.0 -> 5.0",
            ],
        ),
        (
            "canny: {high: 50}",
            [
                "canny",
                "    config: canny.high: 100.0 -> 50.0",
                "1 more that depend on these; 1 of them are trainings",
            ],
        ),
    ],
)
def test_the_keys_that_changed_are_named(finished, changes, told):
    (finished / "changes.yaml").write_text(changes)
    *reasons, time = plan(WEIGHTS, "--configfile", CONFIG, "changes.yaml", directory=finished)
    assert reasons == told
    assert time.startswith("expected duration: about ") and time.endswith(", from earlier jobs")


def test_the_files_that_changed_are_named_and_who_follows(finished):
    path = finished / "results/tiny/data/mask_digests.csv"
    content, status = path.read_bytes(), path.stat()
    path.write_bytes(content + b"new\n")
    told = lines("results/tiny/summary.csv", directory=finished)
    path.write_bytes(content)
    os.utime(path, ns=(status.st_atime_ns, status.st_mtime_ns))
    assert "evaluate_cam: method=cam, seed=0" in told
    assert "    changed: results/tiny/data/mask_digests.csv" in told
    assert told[-1] == "1 more that depend on these"


def test_each_rule_with_a_section_of_its_own_names_it():
    sections = sections_of_rules()
    assert sections["train_affinity"] == "affinity"
    assert sections["segment_crf"] == "segment.crf"
    assert "train_classifier" not in sections  # it reads several, which it names
    paper = yaml.safe_load((PROJECT / "config.yaml").read_text())
    assert {section.partition(".")[0] for section in sections.values()} <= set(paper)


def test_what_is_not_there_yet(tmp_path):
    reason, *_, time = plan("results/tiny/summary.csv", "--configfile", CONFIG, directory=tmp_path)
    assert reason.endswith(" jobs whose results do not exist yet")
    assert time.startswith("expected duration: unknown, since no such jobs have run here")
    told = lines("results/tiny/data/labels.csv", directory=tmp_path)
    assert told[0] == "prepare_dataset"
    assert told[1].startswith("    missing: results/tiny/data/")


def test_a_dry_run_fits_one_screen(tmp_path):
    demo = ("--configfile", PROJECT / "configs/demo.yaml", "--dry-run")
    run = snakemake(*demo, directory=tmp_path)
    assert len((run.stdout + run.stderr).splitlines()) <= 55
    whole = snakemake(*demo, "--printshellcmds", directory=tmp_path)
    assert job_counts(run) == job_counts(whole)
    assert "rule infer_cam:" in whole.stdout and "rule infer_cam:" not in run.stdout
    quiet = snakemake(*demo, "--quiet", directory=tmp_path)
    assert "expected duration" in whole.stdout and "expected duration" not in quiet.stdout


def test_a_mistake_ends_a_dry_run(tmp_path):
    run = snakemake("nowhere", "--dry-run", directory=tmp_path)
    assert run.returncode == 1
    assert "No rule to produce nowhere" in run.stdout + run.stderr
    assert "Traceback" not in run.stderr and "expected duration" not in run.stdout


def test_a_digest_that_nobody_kept():
    reason = "Params have changed since last execution: before: '0123456789abcdef' now: 'fedcba"
    job = Job("canny", f"{reason}9876543210'")
    assert list(explain([job], dict)) == [
        "canny",
        "    the code or the pictures of the dataset changed; there is no record of the files",
    ]


def test_files_that_come_and_go():
    job = Job(
        "A", f"Params have changed since last execution: before: {'0' * 16!r} now: {'1' * 16!r}"
    )
    known = {"0" * 16: {"a.py": "1", "b.py": "1"}, "1" * 16: {"b.py": "2", "c.py": "1"}}
    assert list(explain([job], lambda: known))[1:] == [
        "    code: a.py was removed",
        "    code: b.py changed",
        "    code: c.py was added",
    ]
