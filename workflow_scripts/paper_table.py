"""Writes one of the paper's tables, with measured and published numbers side by side."""

from __future__ import annotations

import argparse
import json
from pathlib import Path

from wsss_core.figures.paper.measured import read_measured
from wsss_core.figures.paper.published import ROMAN, read_published
from wsss_core.figures.paper.tables import build_table
from wsss_core.figures.paper.write import write_table_files
from wsss_core.runtime.errors import run_command


def main() -> None:
    """Writes the table as .csv, .md and .tex."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--number", type=int, choices=range(1, len(ROMAN) + 1), required=True)
    parser.add_argument("--scores", type=Path, nargs="*", default=[], help="CSV files of evaluate")
    parser.add_argument("--commands", type=json.loads, default={}, help="JSON: command by method")
    parser.add_argument("--test-miou", type=json.loads, default={}, help="JSON: mIoU by method")
    parser.add_argument(
        "--output", type=Path, required=True, help="table .csv; .md, .tex beside it"
    )
    args = parser.parse_args()
    table = build_table(
        read_published(),
        args.number,
        read_measured(args.scores),
        commands=args.commands,
        test_miou=args.test_miou,
    )
    write_table_files(args.output, table)


if __name__ == "__main__":
    run_command(main)
