"""Computes the share of pixels of each class in a run's masks, and prints where its results are.

It describes masks that cannot be scored because there are no ground-truth masks.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from wsss_core.data.dataset import open_dataset
from wsss_core.data.images import read_mask
from wsss_core.data.mask_files import find_masks
from wsss_core.runtime.errors import run_command
from wsss_core.runtime.progress import progress
from wsss_core.stages.class_shares import ClassShares


def parse_arguments() -> argparse.Namespace:
    """Parses the command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--dataset", type=Path, required=True, help="prepared dataset")
    parser.add_argument("--method", required=True)
    parser.add_argument("--seed", type=int, required=True)
    parser.add_argument("--masks", type=Path, nargs="+", required=True, help="directories of masks")
    parser.add_argument("--weights", type=Path, help="weights of the network, only printed")
    parser.add_argument(
        "--qualitative-results", type=Path, help="picture of some masks, only printed"
    )
    parser.add_argument("--output", type=Path, required=True, help="shares by image (.csv)")
    return parser.parse_args()


def main() -> None:
    """Writes the shares in each image; prints the shares in all images."""
    args = parse_arguments()
    dataset = open_dataset(args.dataset)
    shares = ClassShares(dataset.class_names)
    masks = find_masks(args.masks)
    for image_id in progress(sorted(masks), desc="masks"):
        shares.add(image_id, read_mask(masks[image_id]))
    shares.write(args.output)
    places = {
        "masks": ", ".join(dict.fromkeys(str(path.parent) for path in args.masks)),
        "shares": args.output,
        "weights": args.weights,
        "figure": args.qualitative_results,
    }
    labels = [dataset.labels[image_id] for image_id in masks if image_id in dataset.labels]
    counts = {name: sum(int(x[k]) for x in labels) for k, name in enumerate(dataset.class_names)}
    lines = [f"{args.method}, seed {args.seed}: {len(masks)} pictures", shares.table(counts)]
    lines += [f"warning: {text}" for text in shares.overdone(counts)]
    lines += [f"{kind:8} {place}" for kind, place in places.items() if place]
    sys.stdout.write("\n".join(lines) + "\n")


if __name__ == "__main__":
    run_command(main)
