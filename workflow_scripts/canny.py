"""Writes the Canny edges of every training image as a PNG of 0 and 255."""

import argparse
from functools import partial
from pathlib import Path

import cv2

from wsss_core.config.canny import CannyConfig
from wsss_core.data.dataset import TRAIN_SPLIT, Dataset, open_dataset
from wsss_core.ops.canny import canny_edges
from wsss_core.runtime.atomic import atomic_dir
from wsss_core.runtime.errors import UserError, run_command
from wsss_core.runtime.parallel_map import parallel_map
from wsss_core.runtime.progress import progress


def main() -> None:
    """Runs the program."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--dataset", type=Path, required=True, help="prepared dataset")
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--output", type=Path, required=True, help="directory to write")
    parser.add_argument("--config", required=True, help="JSON: section canny")
    args = parser.parse_args()

    config = CannyConfig.model_validate_json(args.config)
    dataset = open_dataset(args.dataset)
    ids = dataset.split(TRAIN_SPLIT)
    with atomic_dir(args.output) as directory:
        write = partial(write_edges, dataset=dataset, config=config, directory=directory)
        for _ in progress(
            parallel_map(write, ids, processes=args.threads), total=len(ids), desc="canny"
        ):
            pass


def write_edges(image_id: str, *, dataset: Dataset, config: CannyConfig, directory: Path) -> None:
    """Writes `<image_id>.png`."""
    edges = canny_edges(dataset.read_image(image_id), low=config.low, high=config.high)
    path = directory / f"{image_id}.png"
    is_encoded, png = cv2.imencode(".png", edges, [cv2.IMWRITE_PNG_BILEVEL, 1])
    if not is_encoded:
        raise UserError(f"{path}: OpenCV cannot encode the edges as PNG")
    path.write_bytes(png.tobytes())  # cv2.imwrite would not raise if the disk is full


if __name__ == "__main__":
    run_command(main)
