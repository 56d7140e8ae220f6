"""Finds or downloads weights that others have trained, and writes where and which they are."""

import argparse
from pathlib import Path

from wsss_core.pretrained.note import write_note
from wsss_core.pretrained.obtain import obtain_weights
from wsss_core.runtime.errors import run_command


def main() -> None:
    """Runs the program."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--weights", required=True, help="as the config has it")
    parser.add_argument("--network", default="", help="the backbone, for weights of timm")
    parser.add_argument("--sha256", help="what the file must have; default: anything")
    parser.add_argument("--output", type=Path, required=True, help="JSON file that says where")
    args = parser.parse_args()
    write_note(args.output, obtain_weights(args.weights, network=args.network, sha256=args.sha256))


if __name__ == "__main__":
    run_command(main)
