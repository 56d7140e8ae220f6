import pickle
from itertools import chain

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from wsss_core.data.dataset import open_dataset, part_ids, shard_ids


def test_open_dataset(tiny_dataset):
    dataset = open_dataset(tiny_dataset)
    assert dataset.class_names == ("disc", "square")
    assert dataset.labels["train_0"].tolist() == [1, 1]
    assert dataset.labels["train_1"].tolist() == [0, 1]
    assert dataset.labels["train_1"].dtype == np.uint8
    assert dataset.split("val") == ["val_0", "val_1"]
    assert dataset.has_split("train")
    assert not dataset.has_split("test")


def test_images_and_masks(tiny_dataset):
    dataset = open_dataset(tiny_dataset)
    assert dataset.read_image("train_3").shape == (48, 43, 3)
    mask = dataset.read_mask("train_0")
    assert mask.shape == (48, 40)
    assert np.unique(mask).tolist() == [0, 1, 2, 255]


def test_image_may_be_png(tiny_dataset):
    (tiny_dataset / "images" / "val_0.jpg").rename(tiny_dataset / "images" / "val_0.png")
    assert open_dataset(tiny_dataset).image_path("val_0").name == "val_0.png"


def test_dataset_can_be_sent_to_workers(tiny_dataset):
    dataset = open_dataset(tiny_dataset)
    copy = pickle.loads(pickle.dumps(dataset))
    assert copy.split("train") == dataset.split("train")


def test_parts_cover_training_and_scored_images_once(tiny_dataset):
    dataset = open_dataset(tiny_dataset)
    eval_ids = part_ids(dataset, "eval", ["val", "train"])
    train_only = part_ids(dataset, "train_only", ["val", "train"])
    assert eval_ids == ["train_0", "train_1", "train_2", "train_3", "val_0", "val_1"]
    assert train_only == ["train_4", "train_5"]


def test_the_test_part_is_neither_scored_nor_trained_on(tiny_dataset):
    (tiny_dataset / "splits" / "test.txt").write_text("val_0\nnew_1\nnew_0\ntrain_5\n")
    dataset = open_dataset(tiny_dataset)
    assert part_ids(dataset, "test", ["val", "train"]) == ["new_0", "new_1"]
    assert part_ids(dataset, "test", ["test"]) == []


def test_unknown_part(tiny_dataset):
    with pytest.raises(ValueError, match="part is 'all'; expected 'eval', 'train_only' or 'test'"):
        part_ids(open_dataset(tiny_dataset), "all", ["val"])


@given(count=st.integers(0, 40), num_shards=st.integers(1, 9))
def test_shards_are_a_partition_of_about_equal_parts(count, num_shards):
    ids = [str(i) for i in range(count)]
    shards = [shard_ids(ids, shard, num_shards) for shard in range(num_shards)]
    assert sorted(chain(*shards), key=int) == ids
    sizes = [len(shard) for shard in shards]
    assert max(sizes) - min(sizes) <= 1


def test_shard_out_of_range():
    with pytest.raises(ValueError, match="shard is 3; expected 0 to 2"):
        shard_ids(["a"], 3, 3)
