"""Draws one of the paper's figures as .pdf and .png, and writes its caption."""

from __future__ import annotations

import argparse
from pathlib import Path

from wsss_core.figures.paper.make_figure import FigureInputs, make_figure
from wsss_core.runtime.errors import run_command


def main() -> None:
    """Draws the figure."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument(
        "--inputs", type=FigureInputs.model_validate_json, required=True, help="inputs as JSON"
    )
    parser.add_argument(
        "--output", type=Path, required=True, help="figure .pdf; .png, .md beside it"
    )
    args = parser.parse_args()
    make_figure(args.output, args.inputs)


if __name__ == "__main__":
    run_command(main)
