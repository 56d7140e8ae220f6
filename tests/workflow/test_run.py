"""Tests of the whole workflow on a few images."""

import csv
import json
import re
from pathlib import Path

import numpy as np
import pytest

from tests.workflow.conftest import CONFIG, tiny
from tests.workflow.running import PROJECT, job_counts, snakemake
from wsss_core.training.key_precision import cpu_has_bf16

RESULTS = "results/tiny"
SCORED = [
    ("cam", "cam"),
    ("seam", "cam"),
    ("seam", "random_walk"),
    ("seam", "segmentation"),
    ("seam", "segmentation_crf"),
    ("seam_extra", "cam"),
    ("sb", "cam"),
    ("sb", "random_walk"),
]


def test_summary_has_a_row_for_each_stage_and_split(finished):
    with (finished / RESULTS / "summary.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    found = [(row["method"], row["stage"], row["split"]) for row in rows]
    assert found == [(*scored, split) for scored in SCORED for split in ("train", "val")]
    classes = (finished / RESULTS / "data/classes.txt").read_text().split()
    fixed = ["method", "seed", "stage", "split", "threshold", "miou", "background"]
    trained_in_bf16 = ["precision"] if cpu_has_bf16() else []
    assert list(rows[0]) == [*fixed, *classes, *trained_in_bf16]
    assert all(0 <= float(row["miou"]) <= 100 for row in rows)
    assert {row["seed"] for row in rows} == {"0"}


def test_figures_of_the_report_are_there(finished):
    report = finished / RESULTS / "report"
    pictures = {
        f"qualitative_results/{method}.jpg" for method in ("cam", "seam", "seam_extra", "sb")
    }
    expected = {"loss_curves.svg", *pictures}
    assert {path.relative_to(report).as_posix() for path in files(report)} == expected


def test_report_is_one_file_with_all_figures(finished):
    run = tiny("--report", "report.html", directory=finished)
    assert run.returncode == 0, run.stderr
    page = (finished / "report.html").read_text()
    for name in ("loss_curves.svg", "seam_extra.jpg"):
        assert name in page


def files(directory):
    return [path for path in directory.rglob("*") if path.is_file() and path.name[0] != "."]


def test_every_job_leaves_a_log_and_a_benchmark(finished):
    logs, benchmarks = (
        {path.relative_to(folder).with_suffix("") for folder in folders for path in files(folder)}
        for folders in (list(finished.rglob("logs")), list(finished.rglob("benchmarks")))
    )
    assert logs == benchmarks
    assert len(logs) > len(SCORED)


def test_nothing_is_left_over(finished):
    """Neither training states nor temporary files."""
    names = [path.relative_to(finished / RESULTS).as_posix() for path in files(finished / RESULTS)]
    assert [name for name in names if re.search(r"tmp|temp|partial|stag|state|work/", name)] == []


@pytest.fixture(scope="module")
def exported(finished):
    """The directory of seam's exports, after the commands of their page were run."""
    page = (PROJECT / "docs/exports.md").read_text()
    lines = re.findall(r"^    \.venv/bin/snakemake (.*)$", page, re.M)
    done = set()
    for line in lines:
        words = line.replace("results/demo", RESULTS).split()
        words = [CONFIG if word == "configs/demo.yaml" else word for word in words]
        run = snakemake(*words, directory=finished)
        done |= set(job_counts(run))
    assert done == {"export_cams", "export_seeds", "export_voc", "exports"}
    return finished / RESULTS / "seam/seed0/export"


def test_exports_have_all_images(exported):
    splits = exported.parents[2] / "data/splits"
    ids = {name: (splits / f"{name}.txt").read_text().split() for name in ("train_aug", "val")}
    everything = sorted(ids["train_aug"] + ids["val"])
    masks = [f"voc/SegmentationClass{which}" for which in ("Pseudo", "Predicted")]
    for folder in ("voc/JPEGImages", *masks, "seam", "irn"):
        assert sorted(path.stem for path in files(exported / folder)) == everything
    for folder in ("seam_crf/la_crf", "seam_crf/ha_crf"):
        assert sorted(path.stem for path in files(exported / folder)) == sorted(ids["train_aug"])


def test_exported_maps_say_the_same(exported):
    """SEAM's CAM, IRN's and the score file's, read plainly."""
    archives = [np.load(path) for path in sorted((exported.parent / "cam").glob("*.npz"))]
    for archive in archives:
        class_ids = json.loads(archive["index.json"])["class_ids"]
        for image_id, classes in class_ids.items():
            scores = archive["levels"][archive[f"scores/{image_id}"]]
            path = Path(f"{image_id}.npy")
            seam = np.load(exported / "seam" / path, allow_pickle=True).item()
            irn = np.load(exported / "irn" / path, allow_pickle=True).item()
            assert [*seam] == irn["keys"].tolist() == [k - 1 for k in classes]
            assert np.array_equal(np.stack([*seam.values()]), scores)
            assert np.array_equal(irn["high_res"], scores)


def test_second_run_does_nothing(finished):
    run = tiny(directory=finished)
    assert "Nothing to be done" in run.stdout + run.stderr


def test_dataset_that_comes_out_the_same_reruns_nothing_dear(finished):
    run = tiny("--forcerun", "prepare_dataset", directory=finished)
    assert run.returncode == 0
    done = set(re.findall(r"Finished jobid: \d+ \(Rule: (\w+)\)", run.stdout + run.stderr))
    collecting = {"summarise", "report_page", "loss_curves"}
    assert done <= {"prepare_dataset", *collecting, "all"}


def test_the_workflow_refuses_to_be_a_module_of_another(tmp_path):
    (tmp_path / "Snakefile").write_text(
        f"""
configfile: "{PROJECT / "config.yaml"}"

module wsss:
    snakefile: "{PROJECT / "Snakefile"}"
    config: config
    prefix: "masks"

use rule * from wsss
"""
    )
    run = snakemake("--dry-run", directory=tmp_path, project=tmp_path)
    assert run.returncode != 0
    assert run.stderr.splitlines()[-1] == (
        "error: this workflow cannot be part of another Snakefile; docs/experiments.md says why"
    )
