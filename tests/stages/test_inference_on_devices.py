"""Tests that each inference stage gives the same on a GPU as on the CPU."""

import numpy as np
import pytest
import torch

from tests.methods.tiny_trainings import cam_training, seam_training
from tests.models.tiny_backbone import tiny_backbone
from wsss_core.config.random_walk import RandomWalkConfig
from wsss_core.data.image_pyramid import image_pyramid
from wsss_core.data.score_maps import ScoreRecord
from wsss_core.models.affinity_net import AffinityNet
from wsss_core.models.deeplab import Aspp, DeepLab
from wsss_core.models.inference import start_inference
from wsss_core.stages.infer_cam import merge_scales
from wsss_core.stages.random_walk import pseudo_label
from wsss_core.stages.segment import segment_pyramid

CPU, GPU = torch.device("cpu"), torch.device("cuda")
DEVICES = pytest.mark.parametrize("device", [CPU, pytest.param(GPU, marks=pytest.mark.gpu)])


def pyramid(**options):
    image = np.random.default_rng(0).integers(0, 256, (61, 83, 3), dtype=np.uint8)
    return image_pyramid("i", image, **({"scales": (0.5, 1.0, 1.5), "flip": True} | options))


def placed(net, device):
    assert start_inference(net.eval(), "float32", device) == "float32"
    return net


@DEVICES
@pytest.mark.parametrize("training", [cam_training, seam_training])
def test_cams(training, device):
    found = merge_scales(placed(training().net, device), pyramid(), [2, 0]).cpu()
    expected = merge_scales(training().net.eval(), pyramid(), [2, 0])
    torch.testing.assert_close(found, expected, rtol=1e-4, atol=1e-5)


@DEVICES
@pytest.mark.parametrize("border", ["psa", "full"])
def test_pseudo_labels(device, border):
    """By a matrix on the GPU, by shifts on the CPU."""
    results = []
    for place in (CPU, device):
        torch.manual_seed(0)
        net = AffinityNet(tiny_backbone(), stages=(1, 2), channels=(4, 4), radius=3)
        image = pyramid(scales=(1.0,), flip=False).scaled[0]
        scores = np.random.default_rng(1).random((2, 61, 83), dtype=np.float32)
        cam = ScoreRecord((1, 3), scores)
        config = RandomWalkConfig(alpha=1, border=border)
        results.append(pseudo_label(placed(net, place), image, cam, config))
    assert set(np.unique(results[0])) > {1}
    assert (results[0] == results[1]).mean() > 0.999  # where two classes are equally strong


@DEVICES
def test_segmentations(device):
    results = []
    for place in (CPU, device):
        torch.manual_seed(0)
        net = DeepLab(tiny_backbone(), Aspp(6, 4, rates=(1, 2)), scales=(0.5,))
        results.append(segment_pyramid(placed(net, place), pyramid()))
    expected, found = results
    np.testing.assert_allclose(found.prob, expected.prob, rtol=1e-4, atol=1e-5)
    assert (found.mask == expected.mask).mean() > 0.999
