"""Writes the report page of an experiment, and the cards of its dataset and networks."""

from __future__ import annotations

import argparse
import json
from pathlib import Path

from wsss_core.config.files import read_config_file
from wsss_core.figures.report.cards import write_cards
from wsss_core.figures.report.page import Configs, write_report
from wsss_core.figures.report.results import Results
from wsss_core.runtime.errors import run_command

SHIPPED = Path(__file__).parent.parent / "config.yaml"


def main() -> None:
    """Writes the page and the cards."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument(
        "--results", type=Results.model_validate_json, required=True, help="runs, JSON"
    )
    parser.add_argument("--config", type=json.loads, required=True, help="merged config, JSON")
    parser.add_argument("--output", type=Path, required=True, help="page to write (.html)")
    args = parser.parse_args()
    configs = Configs(used=args.config, shipped=read_config_file(SHIPPED))
    write_report(args.output, args.results, configs)
    write_cards(args.results)


if __name__ == "__main__":
    run_command(main)
