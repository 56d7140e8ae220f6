"""The paper's tables as one experiment."""

import subprocess
import sys
import time

from tests.workflow.running import PROJECT, job_counts

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
