"""Tests of the parts of the upper bounds."""

import numpy as np
import torch

from benchmarks.bounds import exclude_absent, fold_dataset, scores_of_mask
from wsss_core.data.dataset import open_dataset
from wsss_core.data.images import IGNORE_INDEX
from wsss_core.stages.segment import best_class


def test_ignored_pixels_take_the_class_of_the_nearest_other_pixel():
    mask = np.array([[0, 0, 255, 255, 2, 2], [0, 0, 255, 255, 2, 2]], dtype=np.uint8)
    class_ids, scores = scores_of_mask(mask)
    assert class_ids == (2,)
    assert scores.tolist() == [[[0, 0, 0, 1, 1, 1], [0, 0, 0, 1, 1, 1]]]


def test_scores_of_masks_without_a_class():
    for value in (0, IGNORE_INDEX):
        class_ids, scores = scores_of_mask(np.full((2, 3), value, dtype=np.uint8))
        assert class_ids == ()
        assert scores.shape == (0, 2, 3)


def test_absent_classes_win_nowhere_even_between_cells():
    logits = torch.randn(4, 3, 3, generator=torch.Generator().manual_seed(0))
    mask = best_class(exclude_absent(logits, np.array([1, 0, 1], dtype=np.uint8)), (12, 12))
    assert set(np.unique(mask)) <= {0, 1, 3}


def test_a_fold_has_other_splits_and_the_same_pictures(tmp_path):
    root = tmp_path / "data"
    for name in ("images", "masks"):
        (root / name).mkdir(parents=True)
    (root / "images/a.jpg").write_bytes(b"a picture")
    (root / "classes.txt").write_text("cat\n")
    (root / "labels.csv").write_text("image,cat\na,1\nb,0\n")
    path = fold_dataset(open_dataset(root), tmp_path / "fold", learnt=["a"], held_out=["b"])
    fold = open_dataset(path)
    assert fold.split("train_aug") == ["a"]
    assert fold.split("val") == ["b"]
    assert fold.image_path("a").read_bytes() == b"a picture"
    assert fold.class_names == ("cat",)
