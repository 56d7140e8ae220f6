"""What inference stages share: pyramids of images, and maps brought to the image's grid."""

import pytest
import torch

from wsss_core.data.dataset import open_dataset
from wsss_core.data.image_pyramid import image_pyramids, mixed_precision
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
