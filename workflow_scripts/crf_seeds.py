"""Refines the CAMs of one shard by a dense CRF with a strong and a weak background."""

import argparse
from pathlib import Path

from wsss_core.config.crf_seeds import CrfSeedsConfig
from wsss_core.data.dataset import open_dataset
from wsss_core.data.score_maps import ScoreReader, ScoreWriter
from wsss_core.runtime.errors import run_command
from wsss_core.runtime.progress import progress
from wsss_core.stages.crf_seeds import crf_seeds, seed_ids


def main() -> None:
    """Reads a file of CAMs and writes a file of seeds for the training images."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--dataset", type=Path, required=True, help="prepared dataset")
    parser.add_argument("--cams", type=Path, required=True, help="score file of kind 'cam'")
    parser.add_argument("--threads", type=int, default=1, help="number of processes")
    parser.add_argument("--output", type=Path, required=True, help="score file of kind 'seed'")
    parser.add_argument("--config", default="{}", help="section 'crf_seeds' as JSON")
    args = parser.parse_args()
    config = CrfSeedsConfig.model_validate_json(args.config)

    dataset = open_dataset(args.dataset)
    cams = ScoreReader([args.cams], kind="cam", class_names=dataset.class_names)
    image_ids = seed_ids(dataset, cams)
    seeds = crf_seeds(dataset, cams, image_ids, config=config, processes=args.threads)
    with ScoreWriter(args.output, kind="seed", class_names=dataset.class_names) as writer:
        for image_id, seed in progress(seeds, total=len(image_ids), desc="CRF seeds"):
            writer.write(image_id, seed.class_ids, seed.scores)


if __name__ == "__main__":
    run_command(main)
