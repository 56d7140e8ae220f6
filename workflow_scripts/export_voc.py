"""Writes images, ground-truth masks and a run's masks in the layout of VOC and mmsegmentation."""

import argparse
from pathlib import Path

from wsss_core.data.dataset import open_dataset
from wsss_core.layouts.voc import write_voc_folder
from wsss_core.runtime.errors import run_command


def main() -> None:
    """Writes the folder."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--dataset", type=Path, required=True, help="prepared dataset")
    parser.add_argument(
        "--pseudo-labels", type=Path, nargs="+", required=True, help="pseudo labels of random_walk"
    )
    parser.add_argument(
        "--segmentation", type=Path, nargs="+", default=[], help="masks of the segmenter"
    )
    parser.add_argument("--output", type=Path, required=True, help="directory to write")
    args = parser.parse_args()
    write_voc_folder(
        open_dataset(args.dataset),
        args.output,
        pseudo_labels=args.pseudo_labels,
        predicted=args.segmentation,
    )


if __name__ == "__main__":
    run_command(main)
