"""Tests of the masks that give the true boundaries."""

import numpy as np

from benchmarks.true_boundaries import collect_masks
from wsss_core.data.dataset import open_dataset
from wsss_core.data.images import read_mask, write_mask


def test_images_without_a_true_mask_have_that_of_the_teacher(tiny_dataset, tmp_path):
    dataset = open_dataset(tiny_dataset)
    teacher, folder = tmp_path / "teacher", tmp_path / "masks"
    for place in (teacher, folder):
        place.mkdir()
    taught = np.full((4, 4), 2, dtype=np.uint8)
    for image_id in dataset.split("train_aug"):
        write_mask(teacher / f"{image_id}.png", taught)
    without = dataset.split("train_aug")[-1]
    dataset.mask_path(without).unlink()
    collect_masks(dataset, [teacher], folder)
    assert read_mask(folder / f"{without}.png").tolist() == taught.tolist()
    mask = read_mask(folder / "train_0.png")
    assert mask.shape == (48, 40) and set(np.unique(mask)) == {0, 1, 2}  # none is ignored
