"""Packs the masks of the test split for PASCAL VOC's evaluation server."""

import argparse
from pathlib import Path

from wsss_core.data.dataset import open_dataset
from wsss_core.layouts.voc_submission import write_submission
from wsss_core.runtime.errors import run_command


def main() -> None:
    """Writes the archive."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--dataset", type=Path, required=True, help="prepared dataset")
    parser.add_argument(
        "--masks", type=Path, nargs="+", required=True, help="directories of <image>.png"
    )
    parser.add_argument("--threads", type=int, default=1, help="number of processes")
    parser.add_argument("--output", type=Path, required=True, help="tar file to write")
    args = parser.parse_args()
    dataset = open_dataset(args.dataset)
    write_submission(dataset, args.masks, args.output, processes=args.threads)


if __name__ == "__main__":
    run_command(main)
