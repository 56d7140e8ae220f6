"""Writes the demo dataset: drawn pictures, masks and tables."""

from __future__ import annotations

import csv
from functools import partial
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray
from PIL import Image

from wsss_core.config.dataset import DemoConfig
from wsss_core.data.images import write_mask
from wsss_core.prepare.demo.classes import CLASSES
from wsss_core.prepare.demo.scene import draw_scene
from wsss_core.runtime.parallel_map import parallel_map
from wsss_core.runtime.progress import progress

Job = tuple[str, int]  # split, number of the image in it
Label = NDArray[np.uint8]


def draw_dataset(output: Path, config: DemoConfig, *, workers: int = 1) -> None:
    """Draws the demo dataset; each image depends only on the seed and on its own number.

    Args:
        output: An empty directory. It gets the layout that folder.py reads; train equals train_aug.
        config: Seed, size and number of images.
        workers: Number of processes that draw.
    """
    for name in ("images", "masks", "splits"):
        (output / name).mkdir()
    jobs = [("train", i) for i in range(config.num_train)]
    jobs += [("val", i) for i in range(config.num_val)]
    draw = partial(draw_item, output=output, config=config)
    drawn = parallel_map(draw, jobs, processes=workers) if workers > 1 else map(draw, jobs)
    labels = progress(drawn, total=len(jobs), desc="drawing the demo dataset")
    with (output / "labels.csv").open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(["image", *CLASSES])
        writer.writerows([image_id(job), *label] for job, label in zip(jobs, labels, strict=True))
    (output / "classes.txt").write_text("".join(f"{name}\n" for name in CLASSES), encoding="utf-8")
    for split, source in (("train_aug", "train"), ("train", "train"), ("val", "val")):
        lines = "".join(f"{image_id(job)}\n" for job in jobs if job[0] == source)
        (output / "splits" / f"{split}.txt").write_text(lines, encoding="utf-8")


def draw_item(job: Job, *, output: Path, config: DemoConfig) -> Label:
    """Draws one image and its mask.

    Args:
        job: The image.
        output: Folder of images/ and masks/.
        config: Seed and size.

    Returns:
        uint8 [K]: the image-level label.
    """
    cv2.setNumThreads(1)  # the worker processes already use all cores
    split, number = job
    rng = np.random.default_rng([config.seed, int(split == "val"), number])
    class_id = 1 + number % len(CLASSES)  # in turn, so that even a small set shows all of them
    scene = draw_scene(rng, size=config.size, class_id=class_id)
    path = output / "images" / f"{image_id(job)}.jpg"
    Image.fromarray(scene.image).save(path, format="JPEG", quality=90, subsampling=0)
    write_mask(output / "masks" / f"{image_id(job)}.png", scene.mask)
    return scene.label


def image_id(job: Job) -> str:
    """Returns the id of an image, such as train_0007."""
    split, number = job
    return f"{split}_{number:04d}"
