"""What a run costs on PASCAL VOC 2012: `python -m benchmarks.cost config.yaml`.

Writes the table of docs/cost.md.
"""

import argparse
import sys
from pathlib import Path

import yaml

from benchmarks.cost.table import cost_table
from wsss_core.config.experiment import load_experiment
from wsss_core.runtime.errors import run_command


def main() -> None:
    """Runs the program."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("config", type=Path, help="a whole config, as config.yaml is")
    args = parser.parse_args()
    experiment = load_experiment(yaml.safe_load(args.config.read_text()))
    sys.stdout.write(cost_table(experiment))


if __name__ == "__main__":
    run_command(main)
