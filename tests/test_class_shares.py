"""Shares of classes, by hand."""

from pathlib import Path

import numpy as np

from wsss_core.class_shares import ClassShares


def test_shares_by_hand(tmp_path: Path) -> None:
    shares = ClassShares(["cat", "dog, large", "cow"])
    shares.add("a", np.array([[0, 0], [0, 2]], dtype=np.uint8))
    shares.add("b", np.full((2, 6), 3, dtype=np.uint8))
    shares.write(tmp_path / "classes.csv")
    assert (tmp_path / "classes.csv").read_text() == (
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
