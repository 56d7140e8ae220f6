"""Finds or downloads pretrained weights, and writes a note with their path and sha256."""

import argparse
from pathlib import Path

from wsss_core.pretrained.note import write_note
from wsss_core.pretrained.obtain import obtain_weights
from wsss_core.runtime.errors import run_command


def main() -> None:
    """Runs the program."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--weights", required=True, help="value of a key `weights` of the config")
    parser.add_argument("--network", default="", help="name of the backbone, for weights of timm")
    parser.add_argument("--sha256", help="expected sha256 of the file; default: any")
    parser.add_argument("--output", type=Path, required=True, help="note to write (.json)")
    args = parser.parse_args()
    write_note(args.output, obtain_weights(args.weights, network=args.network, sha256=args.sha256))


if __name__ == "__main__":
    run_command(main)
