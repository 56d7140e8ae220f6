"""What a run costs on PASCAL VOC 2012: `python -m benchmarks.cost --configfile my.yaml`.

Writes the table of docs/cost.md for any config of the workflow, in seconds and without a dataset or
weights: whatever dataset the config names, images are as many and as large as VOC's. Config files
are those that snakemake is given; none: the paper's run.
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
        help="laid over config.yaml, later ones over earlier ones",
    )
    args = parser.parse_args()
    experiment = read_experiment(args.configfile)
    gc.disable()  # takes a second of five, and next to nothing of what follows becomes garbage

    from benchmarks.cost.table import cost_table  # torch, which a mistake need not wait for

    sys.stdout.write(cost_table(experiment))
    gc.freeze()  # nor at the end


if __name__ == "__main__":
    run_command(main)
