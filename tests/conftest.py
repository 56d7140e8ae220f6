"""Fixtures that many tests use."""

import csv
import os
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import settings
from PIL import Image

from tests.pretrained.released_weights import NARROW
from wsss_core.data.images import write_mask
from wsss_core.models.resnet38d import ResNet38d
from wsss_core.runtime.file_digest import file_digest

# `make test` draws the same examples each time, so that a change and not chance makes it fail;
# `make test-slow` looks for others.
settings.register_profile("same", derandomize=True, deadline=None)
settings.register_profile("search", deadline=None, print_blob=True)
settings.load_profile("same")

if "PYTEST_XDIST_WORKER" in os.environ:
    torch.set_num_threads(1)  # the other cores have tests of their own

TRAIN_IDS = [f"train_{i}" for i in range(6)]
VAL_IDS = ["val_0", "val_1"]


def write_tiny_dataset(root: Path) -> Path:
    """Writes 6 images in train_aug (4 of them in train) and 2 in val, with two classes.

    Image i is 48 x (40 + i) pixels of noise; the classes are bright squares at the top left
    (`disc`) and at the bottom right (`square`); image 0 has both, then they take turns. All have
    masks, with one void pixel at the top right.
    """
    for name in ("images", "masks", "splits"):
        (root / name).mkdir(parents=True)
    rng = np.random.default_rng(0)
    rows = []
    for i, image_id in enumerate(TRAIN_IDS + VAL_IDS):
        label = [int(i % 2 == 0), int(i % 2 == 1 or i == 0)]
        image = rng.integers(0, 128, (48, 40 + i, 3), dtype=np.uint8)
        mask = np.zeros(image.shape[:2], dtype=np.uint8)
        mask[2:22, 2:18] = 1 if label[0] else 0
        mask[26:46, -18:-2] = 2 if label[1] else 0
        mask[0, -1] = 255
        image[mask == 1] += np.array([120, 0, 0], dtype=np.uint8)
        image[mask == 2] += np.array([0, 0, 120], dtype=np.uint8)
        Image.fromarray(image).save(root / "images" / f"{image_id}.jpg", quality=95)
        write_mask(root / "masks" / f"{image_id}.png", mask)
        rows.append([image_id, *label])
    with (root / "labels.csv").open("w", newline="") as file:
        csv.writer(file, lineterminator="\n").writerows([["image", "disc", "square"], *rows])
    (root / "classes.txt").write_text("disc\nsquare\n")
    for split, ids in (("train_aug", TRAIN_IDS), ("train", TRAIN_IDS[:4]), ("val", VAL_IDS)):
        (root / "splits" / f"{split}.txt").write_text("".join(f"{i}\n" for i in ids))
    return root


def write_image_digests(root: Path) -> None:
    """Writes image_digests.csv of the images of a dataset, as prepare_dataset does."""
    paths = sorted((root / "images").iterdir())
    rows = [f"{path.stem},{file_digest(path)}\n" for path in paths]
    (root / "image_digests.csv").write_text("".join(["image,sha256\n", *rows]))


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Skips tests marked `gpu` where there is none."""
    if not torch.cuda.is_available():
        for item in items:
            if item.get_closest_marker("gpu"):
                item.add_marker(pytest.mark.skip(reason="torch finds no GPU"))


@pytest.fixture
def tiny_dataset(tmp_path: Path) -> Path:
    """The root of a very small dataset, complete and correct; a test may spoil it."""
    return write_tiny_dataset(tmp_path / "tiny")


@pytest.fixture
def narrow_resnet38d(monkeypatch: pytest.MonkeyPatch) -> None:
    """Makes the backbone 'resnet38d' one of `NARROW` times its channels."""
    monkeypatch.setattr("wsss_core.models.backbone.ResNet38d", _NarrowResNet38d)


class _NarrowResNet38d(ResNet38d):
    def __init__(self) -> None:
        super().__init__(width=NARROW)
