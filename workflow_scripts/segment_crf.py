"""Refines the segmentations of one shard by a dense CRF on the images."""

import argparse
from pathlib import Path

from wsss_core.config.crf import CrfConfig
from wsss_core.data.computed_in import mask_notes
from wsss_core.data.dataset import open_dataset
from wsss_core.data.images import write_mask
from wsss_core.data.score_maps import ScoreReader
from wsss_core.runtime.atomic import atomic_dir
from wsss_core.runtime.errors import run_command
from wsss_core.runtime.progress import progress
from wsss_core.stages.segment_crf import segmentation_crf


def main() -> None:
    """Reads a file of probabilities and writes a directory of masks."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--dataset", type=Path, required=True, help="prepared dataset")
    parser.add_argument("--probs", type=Path, required=True, help="score file of kind 'prob'")
    parser.add_argument("--threads", type=int, default=1, help="number of processes")
    parser.add_argument("--output", type=Path, required=True, help="directory of <image>.png")
    parser.add_argument("--config", default="{}", help="section 'segment.crf' as JSON")
    args = parser.parse_args()
    config = CrfConfig.model_validate_json(args.config)

    dataset = open_dataset(args.dataset)
    probs = ScoreReader([args.probs], kind="prob", class_names=dataset.class_names)
    masks = segmentation_crf(dataset, probs, config=config, processes=args.threads)
    notes = mask_notes(probs.computed_in[0]) if probs.computed_in else {}
    with atomic_dir(args.output) as directory:
        for image_id, mask in progress(masks, total=len(probs.image_ids), desc="segment CRF"):
            write_mask(directory / f"{image_id}.png", mask, notes=notes)


if __name__ == "__main__":
    run_command(main)
