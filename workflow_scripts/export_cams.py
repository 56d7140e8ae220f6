"""Writes the CAMs of a run in the layout of another tool: one <image>.npy each."""

import argparse
from pathlib import Path

from wsss_core.data.dataset import open_dataset
from wsss_core.data.score_maps import ScoreReader
from wsss_core.layouts.cams import CAM_LAYOUTS
from wsss_core.layouts.npy import write_dict
from wsss_core.runtime.atomic import atomic_dir
from wsss_core.runtime.errors import run_command
from wsss_core.runtime.progress import progress


def main() -> None:
    """Reads files of CAMs and writes a directory of <image>.npy."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--dataset", type=Path, required=True, help="prepared dataset")
    parser.add_argument("--cams", type=Path, nargs="+", required=True, help="score files")
    parser.add_argument("--layout", choices=CAM_LAYOUTS, required=True)
    parser.add_argument("--output", type=Path, required=True, help="directory to write")
    args = parser.parse_args()
    class_names = open_dataset(args.dataset).class_names
    cams = ScoreReader(args.cams, kind="cam", class_names=class_names)
    layout = CAM_LAYOUTS[args.layout]
    with atomic_dir(args.output) as directory:
        for image_id in progress(cams.image_ids, desc="CAMs"):
            write_dict(directory / f"{image_id}.npy", layout(cams.read(image_id)))


if __name__ == "__main__":
    run_command(main)
