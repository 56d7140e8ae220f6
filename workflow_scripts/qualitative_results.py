"""Draws qualitative results of a run: CAM, pseudo label and segmentation of a few images."""

from __future__ import annotations

import argparse
from pathlib import Path

from wsss_core.data.dataset import open_dataset
from wsss_core.data.mask_files import find_masks
from wsss_core.data.score_maps import ScoreReader
from wsss_core.figures.qualitative_results import choose_images, write_qualitative_results
from wsss_core.runtime.errors import run_command

PROTOCOL = "CAM and pseudo label are limited to the image's true classes"


def parse_arguments() -> argparse.Namespace:
    """Parses the command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--dataset", type=Path, required=True, help="prepared dataset")
    parser.add_argument("--method", required=True)
    parser.add_argument("--seed", type=int, required=True)
    parser.add_argument("--split", default="val", help="split of the images")
    parser.add_argument("--count", type=int, default=8, help="number of images")
    parser.add_argument("--cams", type=Path, nargs="+", required=True, help="score maps (.npz)")
    parser.add_argument("--pseudo-labels", type=Path, nargs="+", help="directories of masks")
    parser.add_argument("--segmentation", type=Path, nargs="+", help="directories of masks")
    parser.add_argument("--output", type=Path, required=True, help="picture to write (.jpg, .png)")
    return parser.parse_args()


def main() -> None:
    """Draws the picture."""
    args = parse_arguments()
    dataset = open_dataset(args.dataset)
    stages = {"pseudo label": args.pseudo_labels, "segmentation": args.segmentation}
    write_qualitative_results(
        args.output,
        dataset,
        choose_images(dataset.labels, dataset.split(args.split), args.count),
        cams=ScoreReader(args.cams, kind="cam", class_names=dataset.class_names),
        masks={title: find_masks(paths) for title, paths in stages.items() if paths},
        title=f"{args.method}, seed {args.seed}, {args.split}: {PROTOCOL}",
    )


if __name__ == "__main__":
    run_command(main)
