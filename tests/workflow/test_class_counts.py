"""Tests that every stage works with very few and with many classes."""

import csv

import numpy as np
import pytest
from PIL import Image

from tests.conftest import TRAIN_IDS, VAL_IDS, write_tiny_dataset
from tests.workflow.test_odd_images import read_config, run_stages
from wsss_core.data.images import read_mask, write_mask


def write_dataset(root, num_classes):
    """The tiny dataset with another number of classes; of 200 each image has every sixth."""
    write_tiny_dataset(root)
    names = [f"class {k}" for k in range(1, num_classes + 1)]
    rows = [["image", *names]]
    for number, image_id in enumerate(TRAIN_IDS + VAL_IDS):
        label = [int(k % 6 == number % 6 or num_classes == 1) for k in range(num_classes)]
        rows.append([image_id, *label])
        path = root / "masks" / f"{image_id}.png"
        mask = read_mask(path)
        shown = 1 + int(np.flatnonzero(label)[-1])  # the last of its classes
        write_mask(path, np.where((mask > 0) & (mask < 255), shown, mask).astype(np.uint8))
    with (root / "labels.csv").open("w", newline="") as file:
        csv.writer(file).writerows(rows)
    (root / "classes.txt").write_text("\n".join(names))
    (root / "splits/train.txt").write_text("\n".join(TRAIN_IDS))


@pytest.mark.parametrize("num_classes", [1, 200])
def test_every_stage_runs(tmp_path, monkeypatch, num_classes):
    monkeypatch.chdir(tmp_path)
    write_dataset(tmp_path / "source", num_classes)
    run_stages(read_config())
    for stage in ("cam", "random_walk", "segmentation", "segmentation_crf"):
        with (tmp_path / f"{stage}.csv").open(newline="") as file:
            rows = list(csv.DictReader(file))
        assert [row["split"] for row in rows] == ["train", "val"]
        assert len([name for name in rows[0] if name.startswith("class ")]) == num_classes
    masks = [read_mask(path) for path in (tmp_path / "segmentation").glob("*.png")]
    assert len(masks) == len(TRAIN_IDS + VAL_IDS)
    assert max(int(mask.max()) for mask in masks) <= num_classes
    picture = Image.open(tmp_path / "qualitative_results.jpg")
    assert picture.height > 500
