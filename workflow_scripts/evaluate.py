"""Scores one stage of one method and seed; writes a row of summary.csv for each split."""

from __future__ import annotations

import argparse
from pathlib import Path

from wsss_core.data.computed_in import deviations, read_computed_in
from wsss_core.data.dataset import open_dataset
from wsss_core.data.mask_files import find_masks
from wsss_core.data.pixel_counts import write_pixel_counts
from wsss_core.data.score_maps import ScoreReader
from wsss_core.runtime.errors import run_command
from wsss_core.stages.evaluate import (
    EXTRA_COLUMN,
    PRECISION_COLUMN,
    STAGES,
    available_processes,
    evaluate_cams,
    evaluate_masks,
    write_scores,
    write_sweep,
)


def parse_arguments() -> argparse.Namespace:
    """Parses the command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--dataset", type=Path, required=True, help="prepared dataset")
    parser.add_argument("--method", required=True)
    parser.add_argument("--seed", type=int, required=True)
    parser.add_argument("--stage", choices=STAGES, required=True)
    parser.add_argument("--splits", nargs="+", required=True)
    scored = parser.add_mutually_exclusive_group(required=True)
    scored.add_argument("--cams", type=Path, nargs="+", help="score maps of the stage (.npz)")
    scored.add_argument("--masks", type=Path, nargs="+", help="directories of <image>.png")
    parser.add_argument("--extra-supervision", help="supervision beyond image-level labels")
    parser.add_argument("--threads", type=int, default=available_processes())
    parser.add_argument("--output", type=Path, required=True, help="scores to write (.csv)")
    parser.add_argument("--images", type=Path, required=True, help="pixel counts by image (.csv)")
    parser.add_argument("--sweep", type=Path, help="mIoU of --cams by threshold (.csv)")
    arguments = parser.parse_args()
    if arguments.sweep and not arguments.cams:
        parser.error("--sweep needs --cams")
    return arguments


def main() -> None:
    """Scores the stage that the command line names."""
    args = parse_arguments()
    dataset = open_dataset(args.dataset)
    if args.cams:
        cams = ScoreReader(args.cams, kind="cam", class_names=dataset.class_names)
        computed_in = cams.computed_in
        scores = [
            evaluate_cams(dataset, split, cams, processes=args.threads) for split in args.splits
        ]
    else:
        masks = find_masks(args.masks)
        computed_in = read_computed_in(masks.values())
        scores = [
            evaluate_masks(dataset, split, masks, processes=args.threads) for split in args.splits
        ]
    if args.sweep:
        write_sweep(args.sweep, scores)
    write_pixel_counts(args.images, [(score.split, score.images) for score in scores])
    write_scores(
        args.output,
        scores,
        method=args.method,
        seed=args.seed,
        stage=args.stage,
        class_names=dataset.class_names,
        remarks={
            EXTRA_COLUMN: args.extra_supervision,
            PRECISION_COLUMN: deviations(computed_in),
        },
    )


if __name__ == "__main__":
    run_command(main)
