"""evaluation: scoring as many masks as VOC's val split has."""

import tempfile
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image

from benchmarks.pictures import NUM_CLASSES, write_dataset
from benchmarks.rows import Row
from benchmarks.timing import compare, name_of
from wsss_core.data.dataset import Dataset
from wsss_core.data.images import IGNORE_INDEX
from wsss_core.stages.evaluate import evaluate_masks

NUMBER = 1449  # images of VOC's val split
DRAWN = 63  # number of different masks; the others are hard links to these
PROCESSES = 2


def class_by_class(dataset: Dataset, image_ids: list[str]) -> NDArray[np.int64]:
    """Counts with one process and three counters per class, as usual (psa, SEAM: evaluation.py)."""
    counts = np.zeros((NUM_CLASSES + 1, 3), dtype=np.int64)
    for image_id in image_ids:
        gt = np.array(Image.open(dataset.mask_path(image_id)))
        prediction = np.array(Image.open(dataset.mask_path(image_id)))
        counted = gt < IGNORE_INDEX
        for k in range(NUM_CLASSES + 1):
            true, predicted = (gt == k) & counted, (prediction == k) & counted
            counts[k] += (true & predicted).sum(), true.sum(), predicted.sum()
    return counts


def run(device: torch.device) -> list[Row]:
    """Scores masks that equal the ground truth; the work does not depend on the masks' content."""
    with tempfile.TemporaryDirectory() as folder:
        dataset = write_dataset(Path(folder, "data"), DRAWN)
        drawn = dataset.split("val")
        ids = drawn + [f"link{index}" for index in range(NUMBER - DRAWN)]
        for index, image_id in enumerate(ids[DRAWN:]):
            dataset.mask_path(image_id).hardlink_to(dataset.mask_path(drawn[index % DRAWN]))
        (dataset.root / "splits" / "val.txt").write_text("".join(f"{i}\n" for i in ids))
        paths = {image_id: dataset.mask_path(image_id) for image_id in ids}
        seconds = compare(
            lambda: evaluate_masks(dataset, "val", paths, processes=PROCESSES),
            lambda: class_by_class(dataset, ids),
            repetitions=2,
        )
    return [Row("evaluation", *seconds, f"s/{NUMBER} images", "<= 15", name_of(device))]
