"""Why stages would run again, in words, of a finished run."""

import os
import subprocess
import sys

import pytest
import yaml

from tests.workflow.conftest import CONFIG
from tests.workflow.running import PROJECT, copy_project
from wsss_core.workflow.why import Job, explain, read_jobs, sections_of_rules

WEIGHTS = "results/tiny/sb/seed0/classifier/weights.pt"


def why(*arguments, directory, project=PROJECT):
    snakefile = ["--snakefile", str(project / "Snakefile")]
    return subprocess.run(
        [sys.executable, "-m", "wsss_core.workflow.why", *arguments, *snakefile],
        cwd=directory,
        env={**os.environ, "PYTHONPATH": str(project)},
        capture_output=True,
        text=True,
    )


def lines(*arguments, directory, project=PROJECT):
    run = why(*arguments, "--configfile", str(CONFIG), directory=directory, project=project)
    assert run.returncode == 0, run.stderr
    return run.stdout.splitlines()


def test_nothing_changed(finished):
    assert lines(directory=finished) == [
        "nothing would run: results are those of the code, config and data that are there"
    ]


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
                "1 more, which read what these make:",
                "    train_classifier: method=sb, seed=0",
            ],
        ),
    ],
)
def test_the_keys_that_changed_are_named(finished, changes, told):
    (finished / "changes.yaml").write_text(changes)
    run = why(WEIGHTS, "--configfile", str(CONFIG), "changes.yaml", directory=finished)
    assert run.stdout.splitlines() == told


def test_the_files_that_changed_are_named_and_who_follows(finished):
    path = finished / "results/tiny/data/mask_digests.csv"
    content, status = path.read_bytes(), path.stat()
    path.write_bytes(content + b"new\n")
    told = lines("results/tiny/summary.csv", directory=finished)
    path.write_bytes(content)
    os.utime(path, ns=(status.st_atime_ns, status.st_mtime_ns))
    assert "evaluate_cam: method=cam, seed=0" in told
    assert "    changed: results/tiny/data/mask_digests.csv" in told
    assert told[-2:] == [
        "1 more, which read what these make:",
        "    summarise",
    ]


def test_results_in_another_folder(finished, copy, tmp_path):
    """Which files a digest was of is on record there."""
    options = ("--directory", str(finished))
    assert lines(WEIGHTS, *options, directory=tmp_path, project=copy) == [
        "train_classifier: method=sb, seed=0",
        "    code: wsss_core/losses/smoothness.py changed",
    ]


def test_each_rule_with_a_section_of_its_own_names_it():
    sections = sections_of_rules()
    assert sections["train_affinity"] == "affinity"
    assert sections["segment_crf"] == "segment.crf"
    assert "train_classifier" not in sections  # it reads several, which it names
    paper = yaml.safe_load((PROJECT / "config.yaml").read_text())
    assert {section.partition(".")[0] for section in sections.values()} <= set(paper)


def test_help(tmp_path):
    run = why("--help", directory=tmp_path)
    assert run.returncode == 0
    assert "Says in words why stages would run" in run.stdout and "--directory" in run.stdout


def test_without_masks(tmp_path):
    (tmp_path / "changes.yaml").write_text("evaluation: {splits: []}\nshards: {train_only: 2}")
    run = why("--configfile", str(CONFIG), "changes.yaml", directory=tmp_path)
    assert run.returncode == 0, run.stderr
    assert "prepare_dataset\n    not there yet: " in run.stdout
    assert "class_shares: " in run.stdout


def test_what_is_not_there_yet(tmp_path):
    told = lines("results/tiny/data/labels.csv", directory=tmp_path)
    assert told[0] == "prepare_dataset"
    assert told[1].startswith("    not there yet: results/tiny/data/")


def test_a_wrong_target_is_one_line(tmp_path):
    run = why("nowhere", directory=tmp_path)
    assert run.returncode == 1
    assert "Traceback" not in run.stderr
    (line,) = run.stderr.splitlines()
    assert line.startswith("error: ")
    assert "No rule to produce nowhere" in line
    run = why("--config", "presett=1", directory=tmp_path)
    line = "error: --config: presett: unknown key 'presett'; did you mean preset?"
    assert run.stderr.splitlines() == [line]


def test_a_digest_that_nobody_kept():
    reason = "Params have changed since last execution: before: '0123456789abcdef' now: 'fedcba"
    (job,) = read_jobs(f"rule canny:\n    output: a\n    reason: {reason}9876543210' \n")
    assert job == Job("canny", f"{reason}9876543210'")
    assert list(explain([job], {})) == [
        "canny",
        "    its code, or the pictures of the dataset, changed; which files is not on record",
    ]


def test_files_that_come_and_go():
    job = Job(
        "A", f"Params have changed since last execution: before: {'0' * 16!r} now: {'1' * 16!r}"
    )
    known = {"0" * 16: {"a.py": "1", "b.py": "1"}, "1" * 16: {"b.py": "2", "c.py": "1"}}
    assert list(explain([job], known))[1:] == [
        "    code: a.py was dropped",
        "    code: b.py changed",
        "    code: c.py came in",
    ]
