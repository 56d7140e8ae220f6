"""What inference stages share: pyramids of images, and maps brought to the image's grid."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from wsss_core.data.dataset import open_dataset
from wsss_core.data.image_pyramid import image_pyramids, mixed_precision, resample
from wsss_core.data.transforms import image_tensor, resize
from wsss_core.runtime.devices import device


def test_pyramids_hold_each_scale_and_its_mirror_image(tiny_dataset):
    dataset = open_dataset(tiny_dataset)
    ids = ["train_3", "val_0"]
    pyramids = list(image_pyramids(dataset, ids, scales=(0.5, 1.0, 1.5), flip=True))
    assert [pyramid.image_id for pyramid in pyramids] == ids
    for pyramid in pyramids:
        image = dataset.read_image(pyramid.image_id)
        height, width = pyramid.size
        assert image.shape[:2] == pyramid.size
        assert [tuple(x.shape) for x in pyramid.scaled] == [
            (2, 3, round(s * height), round(s * width)) for s in (0.5, 1, 1.5)
        ]
        assert torch.equal(pyramid.scaled[1][0], image_tensor(image))
        half = resize(image, round(height / 2), round(width / 2), interpolation="cubic")
        assert torch.equal(pyramid.scaled[0][0], image_tensor(half))
        for views in pyramid.scaled:
            assert torch.equal(views[1], views[0].flip(-1))
            assert views.min() >= 0 and views.max() <= 1


def test_without_flip_there_is_one_view(tiny_dataset):
    (pyramid,) = image_pyramids(open_dataset(tiny_dataset), ["val_1"])
    assert [len(views) for views in pyramid.scaled] == [1]


def test_a_missing_image_is_named(tiny_dataset):
    with pytest.raises(FileNotFoundError, match="nowhere"):
        list(image_pyramids(open_dataset(tiny_dataset), ["nowhere"]))


def test_the_cpu_is_chosen_loudly(capsys):
    assert device(0).type == "cpu"
    assert "no GPU" in capsys.readouterr().err
    assert device(1).type == "cuda"
    assert capsys.readouterr().err == ""


def resample_plainly(cells: np.ndarray, covered: int, stride: int, length: int) -> np.ndarray:
    """One row of cells, read at the centres of `length` pixels over `covered` old pixels."""
    result = np.zeros(length)
    for pixel in range(length):
        centre = (pixel + 0.5) * covered / length / stride - 0.5  # in cells
        centre = min(max(centre, 0), len(cells) - 1)
        left = int(centre)
        right = min(left + 1, len(cells) - 1)
        result[pixel] = cells[left] + (centre - left) * (cells[right] - cells[left])
    return result


@given(covered=st.integers(1, 60), stride=st.sampled_from([4, 8, 16]), length=st.integers(1, 90))
@settings(max_examples=80)
def test_cells_stay_where_they_are_in_the_image(covered, stride, length):
    cells = np.random.default_rng(0).random(-(-covered // stride))
    maps = torch.from_numpy(cells).view(1, 1, 1, -1)
    row = resample(maps, covered=(stride, covered), stride=stride, grid=(1, length))
    assert row.shape == (1, 1, 1, length)
    expected = resample_plainly(cells, covered, stride, length)
    np.testing.assert_allclose(row[0, 0, 0].numpy(), expected, atol=1e-4)


def test_bf16_only_where_there_are_units_for_it(monkeypatch):
    for capabilities, expected in (
        ({}, torch.float32),
        ({"avx512_f": True, "amx_bf16": False}, torch.float32),
        ({"avx512_bf16": True}, torch.bfloat16),
        ({"amx_bf16": True}, torch.bfloat16),
    ):
        monkeypatch.setattr(torch.cpu, "get_capabilities", lambda c=capabilities: c)
        with mixed_precision(torch.device("cpu")):
            assert (torch.ones(2, 2) @ torch.ones(2, 2)).dtype == expected
