"""Writes the CRF seeds of a run in the format of psa's and SEAM's AffinityNet scripts."""

import argparse
from pathlib import Path

from wsss_core.data.dataset import open_dataset
from wsss_core.data.score_maps import ScoreReader
from wsss_core.layouts.npy import write_dict
from wsss_core.layouts.seam import SEED_FOLDERS, seed_dicts
from wsss_core.runtime.atomic import atomic_dir
from wsss_core.runtime.errors import run_command
from wsss_core.runtime.progress import progress


def main() -> None:
    """Reads files of seeds and writes the folders la_crf and ha_crf of <image>.npy."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--dataset", type=Path, required=True, help="prepared dataset")
    parser.add_argument("--seeds", type=Path, nargs="+", required=True, help="score files")
    parser.add_argument("--output", type=Path, required=True, help="directory to write")
    args = parser.parse_args()
    class_names = open_dataset(args.dataset).class_names
    seeds = ScoreReader(args.seeds, kind="seed", class_names=class_names)
    with atomic_dir(args.output) as directory:
        for folder in SEED_FOLDERS:
            (directory / folder).mkdir()
        for image_id in progress(seeds.image_ids, desc="CRF seeds"):
            dicts = seed_dicts(seeds.read(image_id))
            for folder, content in zip(SEED_FOLDERS, dicts, strict=True):
                write_dict(directory / folder / f"{image_id}.npy", content)


if __name__ == "__main__":
    run_command(main)
