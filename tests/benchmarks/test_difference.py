"""Tests of the comparison of two methods."""

import numpy as np
import pytest

from benchmarks.difference import compare, read_scored
from wsss_core.data.pixel_counts import write_pixel_counts
from wsss_core.runtime.errors import UserError


def counts(path, wrong, *, split="val"):
    """Pixel counts of images with 10 pixels of class 1, of which `wrong` are background."""
    images = {
        name: np.array([[0, 0, 10, 0], [1, 0, number, 0], [1, 1, 10 - number, 0]])
        for name, number in wrong.items()
    }
    write_pixel_counts(path, [(split, images)])
    return path


def test_means_and_difference_by_hand(tmp_path):
    first = counts(tmp_path / "first.csv", {"a": 0, "b": 0})
    second = counts(tmp_path / "second.csv", {"a": 5, "b": 5})
    # Every resample has the same score: background 10 / 15, class 1 5 / 10.
    assert compare([first], [second]) == ["val: 100.0 and 58.3, difference +41.7 (+41.7 to +41.7)"]


def test_means_over_seeds(tmp_path):
    paths = [counts(tmp_path / f"{n}.csv", {"a": n, "b": n}) for n in (0, 5)]
    assert read_scored(paths)["val"].miou == pytest.approx((100 + 58.3333) / 2, abs=1e-3)


def test_the_interval_is_that_of_pairs(tmp_path):
    # Images differ much, and the second method is worse by the same pixel in each of them.
    first = counts(tmp_path / "first.csv", {f"{n}": n % 9 for n in range(40)})
    second = counts(tmp_path / "second.csv", {f"{n}": n % 9 + 1 for n in range(40)})
    low, high = np.quantile(read_scored([first])["val"].resampled, [0.025, 0.975])
    (line,) = compare([first], [second])
    ends = line[line.index("(") + 1 : -1].split(" to ")
    assert 0 < float(ends[0]) < float(ends[1])
    assert float(ends[1]) - float(ends[0]) < (high - low) / 3


def test_other_images_are_refused(tmp_path):
    first = counts(tmp_path / "first.csv", {"a": 0, "b": 0})
    second = counts(tmp_path / "second.csv", {"a": 0})
    with pytest.raises(UserError, match=r"second\.csv: expected the images of .*first\.csv in val"):
        compare([first], [second])
    with pytest.raises(UserError, match=r"second\.csv: expected the images of .*first\.csv in val"):
        read_scored([first, second])


def test_a_common_split_is_needed(tmp_path):
    first = counts(tmp_path / "first.csv", {"a": 0}, split="val")
    second = counts(tmp_path / "second.csv", {"a": 0}, split="train")
    with pytest.raises(UserError, match=r"second\.csv: expected a split of .*first\.csv: val"):
        compare([first], [second])
