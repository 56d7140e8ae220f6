"""Tests of the paper's tables and figures as targets, and as one experiment."""

import json
import shlex
import subprocess
import sys
import time

import pytest

from tests.workflow.conftest import tiny
from tests.workflow.running import PROJECT, commands, job_counts, snakemake

# A process of its own, since one that pytest starts counts pytest's memory as its own.
MEASURED = """
import resource, subprocess, sys
code = subprocess.call(sys.argv[1:])
print("kilobytes", resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss)
sys.exit(code)
"""


def test_all_tables_with_three_seeds_are_planned_soon(tmp_path):
    command = [sys.executable, "-c", MEASURED, sys.executable, "-m", "snakemake"]
    command += ["--snakefile", PROJECT / "Snakefile", "--directory", tmp_path, "--dry-run"]
    command += ["--configfile", PROJECT / "configs/paper-tables.yaml"]
    # The first look at a config checks its methods in a process that loads torch, 0.9 GB; the
    # second remembers what it found. What Snakemake itself takes is measured.
    subprocess.run(command, capture_output=True, check=False)
    start = time.monotonic()
    run = subprocess.run(command, capture_output=True, text=True, check=False)
    seconds = time.monotonic() - start
    counts = job_counts(run)
    assert counts["train_classifier"] == 17 * 3  # methods and seeds
    assert counts["infer_cam"] == 3 * (3 * 21 + 14 * 5)  # shards; most are only scored
    assert counts["train_affinity"] == counts["train_segmenter"] == 3 * 3
    assert int(run.stdout.split("kilobytes")[1]) < 500 * 1024
    assert seconds < 20  # 5 on an idle machine, where 10 are allowed; others run beside tests


@pytest.mark.slow
def test_a_command_for_rows_that_were_not_run_does_on_another_backbone(tmp_path):
    """The paper's methods name stages that the demo's backbone does not have."""
    demo = ("--configfile", PROJECT / "configs/demo.yaml", "--dry-run")
    run = snakemake(*demo, "--printshellcmds", "--", "paper_table_5", directory=tmp_path)
    (table,) = commands(run, "paper_table")
    command = json.loads(table.option("commands"))["sbdm_f5_f6"]
    _, *words = shlex.split(command)
    counts = job_counts(snakemake("--dry-run", *words, directory=tmp_path))
    assert counts["evaluate_cam"] == 1


@pytest.mark.slow
def test_tiny_experiment_has_nine_tables_and_five_figures(finished):
    run = tiny("--", "paper", directory=finished)
    assert run.returncode == 0, run.stdout + run.stderr
    tables = {f"table_{n}.{kind}" for n in range(1, 10) for kind in ("csv", "md", "tex")}
    figures = {f"figure_{n}.{kind}" for n in (1, 3, 4, 5, 6) for kind in ("pdf", "png", "md")}
    found = {path.name for path in (finished / "results/tiny/paper").iterdir()}
    assert found == tables | figures
