"""Writes the label maps from which semantic boundaries are computed.

They are segmentations of training images, without classes that the image-level label excludes. The
training computes the boundary maps from them after augmentation.
"""

import argparse
from pathlib import Path

from wsss_core.data.dataset import TRAIN_SPLIT, open_dataset
from wsss_core.data.images import read_mask, write_mask
from wsss_core.data.mask_files import find_masks
from wsss_core.runtime.atomic import atomic_dir
from wsss_core.runtime.errors import run_command
from wsss_core.runtime.progress import progress
from wsss_core.stages.semantic_boundary import gate_by_label


def main() -> None:
    """Runs the program."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--dataset", type=Path, required=True, help="prepared dataset")
    parser.add_argument("--segmentation", type=Path, required=True, help="folder of label PNGs")
    parser.add_argument("--output", type=Path, required=True, help="directory to write")
    args = parser.parse_args()

    dataset = open_dataset(args.dataset)
    trained = set(dataset.split(TRAIN_SPLIT))
    masks = find_masks([args.segmentation], what="segmentation")
    files = [path for image_id, path in masks.items() if image_id in trained]
    with atomic_dir(args.output) as directory:
        for file in progress(files, desc="semantic_boundary"):
            mask = gate_by_label(read_mask(file), dataset.labels[file.stem])
            write_mask(directory / file.name, mask)


if __name__ == "__main__":
    run_command(main)
