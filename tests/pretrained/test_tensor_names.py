"""Tests of messages about differences between a file's tensors and a network's."""

import pytest
import torch

from wsss_core.pretrained.tensor_names import check_tensors, differences, tensor_shapes
from wsss_core.runtime.errors import UserError


def test_no_difference():
    assert differences({"a": (1, 2), "b": ()}, {"b": (), "a": (1, 2)}) == ""


def test_all_differences_are_in_one_line():
    found = {"a": (1,), "b": (2, 3), "x": (4,), **{f"y{i}": () for i in range(7)}}
    expected = {"a": (1,), "b": (3, 2), "c": (5,), "d": (6,)}
    assert differences(found, expected) == (
        "missing: c, d; extra: x, y0, y1, y2, y3 and 3 more; "
        "mis-shaped: b is [2, 3] and should be [3, 2]"
    )
    tensors = {name: torch.zeros(shape) for name, shape in found.items()}
    with pytest.raises(UserError, match=r"^f\.pth: no: missing: c, d; extra: x, .*\[3, 2\]$"):
        check_tensors(tensors, expected, what="f.pth: no")


def test_counters_of_batch_norms_do_not_count():
    assert tensor_shapes(torch.nn.BatchNorm2d(3).state_dict()) == dict.fromkeys(
        ("weight", "bias", "running_mean", "running_var"), (3,)
    )
