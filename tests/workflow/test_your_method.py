"""Tests of docs/your-method.md: its steps, followed literally on a finished tiny run."""

import csv
import re
import shutil

import pytest
import torch

from tests.workflow.conftest import CONFIG, tiny
from tests.workflow.running import PROJECT, job_counts, snakemake

pytestmark = pytest.mark.slow
PAGE = (PROJECT / "docs/your-method.md").read_text()
BLOCKS = dict(re.findall(r"^```(\w+)\n(.*?)^```$", PAGE, re.M | re.S))
COLLECTING = {
    "summarise",
    "report_page",
    "loss_curves",
}  # read the results of all methods


@pytest.fixture(scope="module")
def directory(finished, tmp_path_factory):
    """The finished run with the page's two files."""
    root = tmp_path_factory.mktemp("your_method") / "run"
    shutil.copytree(finished, root, symlinks=True)
    (root / "my_ideas").mkdir()
    (root / "my_ideas/entropy.py").write_text(BLOCKS["python"])
    (root / "mine.yaml").write_text(BLOCKS["yaml"])
    return root


@pytest.fixture(scope="module")
def run(directory):
    """The dry run, and then the run, of the page."""
    options = ("--dry-run", "--printshellcmds")
    dry = snakemake("--configfile", CONFIG, "mine.yaml", *options, directory=directory)
    full = tiny(directory=directory, changes=["mine.yaml"])
    assert full.returncode == 0, (full.stdout + full.stderr)[-5000:]
    return dry


def test_the_idea_is_as_short_as_promised():
    assert len(BLOCKS["python"].splitlines()) <= 40
    assert len(BLOCKS["yaml"].splitlines()) <= 6


def test_only_the_new_method_is_trained(run):
    jobs = job_counts(run)
    assert jobs.pop("train_classifier") == 1
    for rule in COLLECTING:
        jobs.pop(rule)
    assert set(jobs) == {"infer_cam", "evaluate_cam", "qualitative_results"}
    methods = re.findall(r"wildcards: method=(\w+)", run.stdout + run.stderr)
    assert set(methods) == {"entropy"}


def test_it_has_a_score_beside_the_other(run, directory):
    with (directory / "results/tiny/summary.csv").open(newline="") as file:
        rows = {(row["method"], row["split"]): float(row["miou"]) for row in csv.DictReader(file)}
    assert set(rows) == {(m, s) for m in ("seam_extra", "entropy") for s in ("train", "val")}
    place = directory / "results/tiny/entropy/seed0/classifier"
    losses = next(csv.reader((place / "history.csv").open(newline="")))
    assert "entropy" in losses
    card = torch.load(place / "weights.pt", weights_only=True)["metadata"]
    assert card["config"]["method"]["kind"] == "my_ideas.entropy"


def test_a_change_of_the_file_trains_this_method_alone(run, directory):
    file = directory / "my_ideas/entropy.py"
    text = file.read_text()
    file.write_text(text.replace("cam_logits.sigmoid()", "(2 * cam_logits).sigmoid()"))
    try:
        changed = snakemake("--configfile", CONFIG, "mine.yaml", "-n", directory=directory)
    finally:
        file.write_text(text)
    assert job_counts(changed)["train_classifier"] == 1
    again = snakemake("--configfile", CONFIG, "mine.yaml", "-n", directory=directory)
    assert "Nothing to be done" in again.stdout + again.stderr


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("lambda_entropy: 0.1", "lamda_entropy: 0.1", "unknown key 'lamda_entropy'; did you mean"),
        ("my_ideas.entropy", "my_ideas.entropie", "expected a module my_ideas/entropie.py"),
    ],
)
def test_a_mistake_is_one_line_in_the_dry_run(directory, tmp_path, old, new, message):
    shutil.copytree(directory / "my_ideas", tmp_path / "my_ideas")
    (tmp_path / "mine.yaml").write_text(BLOCKS["yaml"].replace(old, new))
    dry = snakemake("--configfile", CONFIG, "mine.yaml", "-n", directory=tmp_path)
    (line,) = [line for line in dry.stderr.splitlines() if line.startswith("error: ")]
    assert dry.returncode == 1 and message in line


def test_a_module_that_does_not_import_is_told_in_one_line(directory, tmp_path):
    (tmp_path / "my_ideas").mkdir()
    (tmp_path / "my_ideas/entropy.py").write_text("import nothing_of_the_kind\n")
    (tmp_path / "mine.yaml").write_text(BLOCKS["yaml"])
    dry = snakemake("--configfile", CONFIG, "mine.yaml", "-n", directory=tmp_path)
    (line,) = [line for line in dry.stderr.splitlines() if line.startswith("error: ")]
    assert dry.returncode == 1 and "its module imports nothing_of_the_kind" in line
