"""Shows summary.csv as a web page."""

from __future__ import annotations

import argparse
from pathlib import Path

from wsss_core.figures.table import write_table
from wsss_core.runtime.errors import run_command
from wsss_core.stages.summarise import read_scores


def main() -> None:
    """Writes the page that the command line names."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--summary", type=Path, required=True, help="from summarise, .csv")
    parser.add_argument("--output", type=Path, required=True, help="page, .html")
    args = parser.parse_args()
    write_table(args.output, read_scores(args.summary))


if __name__ == "__main__":
    run_command(main)
