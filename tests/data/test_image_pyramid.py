"""Tests of image pyramids and of the resampling of maps, as inference stages use them."""

import pytest
import torch

from wsss_core.data.dataset import open_dataset
from wsss_core.data.image_pyramid import image_pyramids, num_readers
from wsss_core.data.transforms import image_tensor, resize
from wsss_core.runtime.errors import UserError

CPU = torch.device("cpu")


def test_pyramids_hold_each_scale_and_its_mirror_image(tiny_dataset):
    dataset = open_dataset(tiny_dataset)
    ids = ["train_3", "val_0"]
    pyramids = list(image_pyramids(dataset, ids, device=CPU, scales=(0.5, 1.0, 1.5), flip=True))
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
    (pyramid,) = image_pyramids(open_dataset(tiny_dataset), ["val_1"], device=CPU)
    assert [len(views) for views in pyramid.scaled] == [1]


def test_a_missing_image_is_named(tiny_dataset):
    with pytest.raises(UserError, match=r"nowhere.png: No such file"):
        list(image_pyramids(open_dataset(tiny_dataset), ["nowhere"], device=CPU))


@pytest.mark.filterwarnings("ignore:This DataLoader will create:UserWarning")
@pytest.mark.parametrize("readers", [2, 5])
def test_several_readers_keep_the_order(tiny_dataset, monkeypatch, readers):
    monkeypatch.setattr("wsss_core.data.image_pyramid.num_readers", lambda *_: readers)
    dataset = open_dataset(tiny_dataset)
    ids = 5 * ["train_5", "val_0", "train_1", "val_1"]
    pyramids = list(image_pyramids(dataset, ids, device=CPU))
    assert [pyramid.image_id for pyramid in pyramids] == ids
    for first, again in zip(pyramids[:4], pyramids[4:8], strict=True):
        assert torch.equal(first.scaled[0], again.scaled[0])


def test_threads_read_for_a_gpu_and_compute_on_a_cpu():
    assert [num_readers(torch.device("cuda"), n) for n in (1, 2, 4, 64)] == [1, 1, 3, 8]
    assert num_readers(CPU, 64) == 1
