"""Estimates the cost of a run on PASCAL VOC 2012: `python -m benchmarks.cost --configfile my.yaml`.

Prints the table of docs/cost.md for any config of the workflow. It takes seconds and needs neither
a dataset nor weights: number and size of images are always those of VOC. The config files are those
for snakemake; without any, it is the paper's run.
"""

import argparse
import gc
import sys
from pathlib import Path

from wsss_core.config.merged import read_experiment
from wsss_core.runtime.errors import run_command


def main() -> None:
    """Runs the program."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument(
        "--configfile",
        type=Path,
        nargs="+",
        action="extend",
        default=[],
        help="merged over config.yaml; later files override earlier ones",
    )
    args = parser.parse_args()
    experiment = read_experiment(args.configfile)
    gc.disable()  # saves one of five seconds; almost nothing below becomes garbage

    from benchmarks.cost.table import cost_table  # slow import, after the check

    sys.stdout.write(cost_table(experiment))
    gc.freeze()  # no collection at exit, either


if __name__ == "__main__":
    run_command(main)
