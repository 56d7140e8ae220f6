"""Joins the scores of all methods, seeds and stages to summary.csv, and prints them."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from wsss_core.runtime.errors import run_command
from wsss_core.stages.summarise import format_table, merge_scores, write_summary


def main() -> None:
    """Writes the summary and prints its table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument(
        "--scores", type=Path, nargs="+", required=True, help="CSV files of evaluate"
    )
    parser.add_argument("--output", type=Path, required=True, help="summary to write (.csv)")
    args = parser.parse_args()
    summary = merge_scores(args.scores)
    write_summary(args.output, summary)
    sys.stdout.write(format_table(summary))


if __name__ == "__main__":
    run_command(main)
