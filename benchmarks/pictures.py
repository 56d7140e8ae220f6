"""Random pictures of the size of photographs; their content does not matter here."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray
from PIL import Image

from wsss_core.data.dataset import Dataset, open_dataset
from wsss_core.data.images import IGNORE_INDEX, write_mask

HEIGHT, WIDTH = 375, 500  # size of most of VOC's photographs
NUM_CLASSES = 20  # VOC's classes without background


def photograph(
    rng: np.random.Generator, height: int = HEIGHT, width: int = WIDTH
) -> NDArray[np.uint8]:
    """Draws clouds at many scales, about as smooth as photographs: uint8 [H, W, 3]."""
    image = np.zeros((height, width, 3), dtype=np.float32)
    for side in (4, 8, 16, 32, 64, 128):
        clouds = rng.normal(0, 1 / side**0.5, (side, side, 3)).astype(np.float32)
        image += cv2.resize(clouds, (width, height), interpolation=cv2.INTER_CUBIC)
    low, high = image.min(), image.max()
    return ((image - low) / (high - low) * 255).astype(np.uint8)


def score_maps(
    rng: np.random.Generator, number: int, height: int = HEIGHT, width: int = WIDTH
) -> NDArray[np.float32]:
    """Draws blobs like those of a CAM: float32 [number, H, W], each in [0, 1]."""
    maps = []
    for _ in range(number):
        coarse = rng.normal(0, 1, (8, 8)).astype(np.float32)
        blob = cv2.resize(coarse, (width, height), interpolation=cv2.INTER_CUBIC).clip(0)
        maps.append(blob / blob.max())
    return np.stack(maps)


def mask(
    rng: np.random.Generator, class_ids: tuple[int, ...], height: int = HEIGHT, width: int = WIDTH
) -> NDArray[np.uint8]:
    """Draws objects of the given classes with an ignored rim: uint8 [H, W]."""
    scores = score_maps(rng, len(class_ids), height, width)
    ids = np.array(class_ids, dtype=np.uint8)[scores.argmax(axis=0)]
    best = scores.max(axis=0)
    return np.where(best > 0.45, ids, np.where(best > 0.4, IGNORE_INDEX, 0)).astype(np.uint8)


def two_classes(rng: np.random.Generator) -> tuple[int, ...]:
    """Draws two of VOC's classes, ascending; VOC's photographs have 1.5 classes on average."""
    first, second = sorted(rng.choice(NUM_CLASSES, 2, replace=False) + 1)
    return int(first), int(second)


def write_dataset(root: Path, number: int) -> Dataset:
    """Writes a dataset of random pictures with masks, all in both train_aug and val."""
    rng = np.random.default_rng(0)
    for folder in ("images", "masks", "splits"):
        (root / folder).mkdir(parents=True)
    names = [f"class{k}" for k in range(1, NUM_CLASSES + 1)]
    (root / "classes.txt").write_text("".join(f"{name}\n" for name in names))
    ids = [f"picture{index:05}" for index in range(number)]
    for split in ("train_aug", "val"):
        (root / "splits" / f"{split}.txt").write_text("".join(f"{i}\n" for i in ids))
    with (root / "labels.csv").open("w") as table:
        table.write(",".join(["image", *names]) + "\n")
        for image_id in ids:
            classes = two_classes(rng)
            label = (str(int(k in classes)) for k in range(1, NUM_CLASSES + 1))
            table.write(",".join([image_id, *label]) + "\n")
            picture = Image.fromarray(photograph(rng))
            picture.save(root / "images" / f"{image_id}.jpg", quality=90)
            write_mask(root / "masks" / f"{image_id}.png", mask(rng, classes))
    return open_dataset(root)
