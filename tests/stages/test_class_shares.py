"""Tests of class shares against hand-worked values."""

import subprocess
import sys
from pathlib import Path

import numpy as np

from wsss_core.data.images import write_mask
from wsss_core.stages.class_shares import ClassShares


def test_shares_by_hand(tmp_path: Path) -> None:
    shares = ClassShares(["cat", "dog, large", "cow"])
    shares.add("a", np.array([[0, 0], [0, 2]], dtype=np.uint8))
    shares.add("b", np.full((2, 6), 3, dtype=np.uint8))
    shares.write(tmp_path / "class_coverage.csv")
    assert (tmp_path / "class_coverage.csv").read_text() == (
        'image,background,cat,"dog, large",cow\na,75.00,0.00,25.00,0.00\nb,0.00,0.00,0.00,100.00\n'
    )
    assert shares.table().splitlines() == [
        "class       pictures  share of pixels",
        "background         1          18.75 %",
        "dog, large         1           6.25 %",
        "cow                1          75.00 %",
    ]


def test_no_picture_is_an_empty_table() -> None:
    assert ClassShares(["cat"]).table() == "class       pictures  share of pixels"


def test_classes_in_many_more_masks_than_tags_are_told() -> None:
    shares = ClassShares(["cat", "person"])
    for number in range(39):
        shares.add(str(number), np.array([[2 if number < 34 else 0, 1]], dtype=np.uint8))
    assert shares.overdone({"cat": 30, "person": 3}) == [
        "masks show 'person' in 34 pictures, of which 3 have the tag"
    ]


def test_names_that_are_no_utf8_are_written(tmp_path) -> None:
    shares = ClassShares(["cat"])
    shares.add("caf\udce9", np.zeros((2, 2), dtype=np.uint8))
    shares.write(tmp_path / "x.csv")
    text = "image,background,cat\ncaf\\udce9,100.00,0.00\n"
    assert (tmp_path / "x.csv").read_text(encoding="utf-8") == text


def test_script_counts_the_masks_of_all_shards_and_says_where_they_are(tiny_dataset, tmp_path):
    shards = [tmp_path / "train_only-0", tmp_path / "train_only-1"]
    names = (("train_0", 2), ("träin", 2), ("train_1", 2), ("train_2", 0))
    for shard, (name, index) in zip(shards * 2, names, strict=True):
        shard.mkdir(exist_ok=True)
        write_mask(shard / f"{name}.png", np.full((3, 4), index, dtype=np.uint8))
    done = subprocess.run(
        [sys.executable, "-m", "workflow_scripts.class_shares", "--dataset", tiny_dataset,
         "--method", "sb", "--seed", "3", "--masks", *shards,
         "--qualitative-results", "qualitative_results.jpg",
         "--output", tmp_path / "class_coverage.csv"],
        capture_output=True, text=True, check=True,
    )  # fmt: skip
    assert done.stdout.splitlines() == [
        "sb, seed 3: 4 pictures",
        "class       pictures  share of pixels  tagged",
        "background         1          25.00 %",
        "disc               0           0.00 %       2",
        "square             3          75.00 %       2",
        f"masks    {tmp_path}",
        f"shares   {tmp_path / 'class_coverage.csv'}",
        "figure   qualitative_results.jpg",
    ]
    assert (tmp_path / "class_coverage.csv").read_text(encoding="utf-8") == (
        "image,background,disc,square\ntrain_0,0.00,0.00,100.00\ntrain_1,0.00,0.00,100.00\n"
        "train_2,100.00,0.00,0.00\nträin,0.00,0.00,100.00\n"
    )
