"""Draws the loss curves of all trainings."""

from __future__ import annotations

import argparse
from pathlib import Path

from wsss_core.figures.loss_curves import read_curves, write_loss_curves
from wsss_core.runtime.errors import run_command


def labelled_path(text: str) -> tuple[str, Path]:
    """Splits the argument <label>=<path>."""
    label, separator, path = text.partition("=")
    if not separator:
        raise argparse.ArgumentTypeError(f"{text!r} is not <stage>/<method>=<path>")
    return label, Path(path)


def main() -> None:
    """Draws the figure."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument(
        "--histories",
        type=labelled_path,
        nargs="+",
        required=True,
        metavar="STAGE/METHOD=PATH",
        help="history.csv of a training with its label; seeds of one label share a panel",
    )
    parser.add_argument("--output", type=Path, required=True, help="figure to write (.svg or .png)")
    args = parser.parse_args()
    write_loss_curves(args.output, [read_curves(label, path) for label, path in args.histories])


if __name__ == "__main__":
    run_command(main)
