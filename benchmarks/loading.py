"""loading: reading and augmenting training images one at a time on one core."""

import itertools
import tempfile
from pathlib import Path

import cv2
import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image
from torchvision.transforms import ColorJitter

from benchmarks.experiment import paper
from benchmarks.pictures import write_dataset
from benchmarks.rows import Row
from benchmarks.timing import compare, name_of, scaled
from wsss_core.data.dataset import Dataset
from wsss_core.data.images import write_mask
from wsss_core.ops.canny import canny_edges
from wsss_core.stages.train_classifier import ClassifierSamples
from wsss_core.training.batches import Batch

NUMBER = 16
MEAN, STD = np.array([0.485, 0.456, 0.406]), np.array([0.229, 0.224, 0.225])


def plain_sample(dataset: Dataset, image_id: str, crop_size: int) -> NDArray[np.float32]:
    """Reads and augments one image in the usual way (psa, tool/imutils.py).

    Canny runs for each sample, as in SBNet's training step. Boundaries are in the benchmark
    `boundary`.
    """
    rng = np.random.default_rng()
    image = Image.open(dataset.image_path(image_id)).convert("RGB")
    factor = rng.integers(448, 769) / max(image.size)
    size = round(image.width * factor), round(image.height * factor)
    image = ColorJitter(0.3, 0.3, 0.3, 0.1)(image.resize(size, Image.Resampling.BICUBIC))
    array = (np.asarray(image) / 255 - MEAN) / STD
    if rng.random() < 0.5:
        array = np.fliplr(array)
    container = np.zeros((crop_size, crop_size, 3), np.float32)
    height, width = min(array.shape[0], crop_size), min(array.shape[1], crop_size)
    container[:height, :width] = array[:height, :width]
    cv2.Canny((container * 255).astype(np.uint8), 10, 100)
    return container.transpose(2, 0, 1).copy()


def run(device: torch.device) -> list[Row]:
    """Measures our samples: image, label, mask and edges of a crop."""
    torch.set_num_threads(1)
    config = paper().classifier
    with tempfile.TemporaryDirectory() as folder:
        dataset = write_dataset(Path(folder, "data"), NUMBER)
        edges = Path(folder, "canny")
        edges.mkdir()
        for image_id in dataset.split("val"):
            found = canny_edges(dataset.read_image(image_id), low=10, high=100)
            write_mask(edges / f"{image_id}.png", found)
        samples = ClassifierSamples(
            dataset,
            config,
            fill=(0, 0, 0),
            boundary_dirs=[dataset.root / "masks"],
            canny_dir=edges,
        )
        rng = np.random.default_rng(0)
        turn, other_turn = itertools.cycle(range(NUMBER)), itertools.cycle(samples.image_ids)

        def ours() -> list[Batch]:
            return [samples.sample(next(turn), rng) for _ in range(NUMBER)]

        def usual() -> list[NDArray[np.float32]]:
            return [
                plain_sample(dataset, next(other_turn), config.crop_size) for _ in range(NUMBER)
            ]

        seconds = compare(ours, usual)
    milliseconds = scaled(seconds, 1000 / NUMBER)
    return [Row("loading", *milliseconds, "ms/image/core", "<= 16.7", name_of(device))]
