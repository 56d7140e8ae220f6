"""Runs the named benchmarks, or all: `python -m benchmarks random_walk crf`.

Each benchmark is a module of this package; its `run(device)` returns rows. The rows are added to
the table of results after each benchmark. A run that is interrupted loses only its last benchmark.
"""

from __future__ import annotations

import argparse
import importlib
import os
import sys
import time
from pathlib import Path

from wsss_core.workflow.job_environment import JOB_ENVIRONMENT, prepare_environment

RESULTS = Path("results/bench.csv")
# These run on a GPU if there is one. The others always run on the CPU.
ON_GPU = ("random_walk", "cam_inference", "seam_step", "sb_step", "affinity_step", "segment")
ON_CPU = (
    "threshold_sweep",
    "boundary",
    "loading",
    "crf",
    "storage",
    "evaluation",
    "compact_step",
    "process_start",
    "demo",
    "scale",
    "planning",
)


def main() -> None:
    """Runs the program."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("names", nargs="*", help="names of benchmarks; default: all")
    parser.add_argument("--output", type=Path, default=RESULTS, help="table to add to")
    args = parser.parse_args()
    unknown = sorted(set(args.names) - {*ON_GPU, *ON_CPU})
    if unknown:
        parser.error(f"no benchmark {unknown[0]!r}; expected one of {', '.join(ON_GPU + ON_CPU)}")
    _restart_prepared()

    import torch  # after the environment is set, because torch reads it on import

    from benchmarks.rows import write_rows

    threads = torch.get_num_threads()
    for name in args.names or ON_GPU + ON_CPU:
        is_gpu = name in ON_GPU and torch.cuda.is_available()
        torch.set_num_threads(threads)
        sys.stderr.write(f"{name} ...\n")
        start = time.perf_counter()
        module = importlib.import_module(f"benchmarks.{name}")
        rows = module.run(torch.device("cuda" if is_gpu else "cpu"))
        write_rows(args.output, rows)
        for row in rows:
            verdict = "reached" if row.is_met else "MISSED"
            sys.stdout.write(f"{'  '.join(row.cells()[:-1])}  {verdict}\n")
        sys.stderr.write(f"{name}: {time.perf_counter() - start:.0f} s\n")


def _restart_prepared() -> None:
    """Restarts this program with the environment variables of the workflow's jobs, if necessary."""
    if all(name in os.environ for name in JOB_ENVIRONMENT):
        return
    prepare_environment()
    os.execv(sys.executable, [sys.executable, "-m", "benchmarks", *sys.argv[1:]])


if __name__ == "__main__":
    main()
