"""Tests of the plain CAM classifier."""

import pytest
import torch

from tests.models.tiny_backbone import tiny_backbone
from wsss_core.models.cam_net import CamNet


@pytest.fixture
def net() -> CamNet:
    torch.manual_seed(0)
    backbone = tiny_backbone()
    return CamNet(backbone, 3, dropout=0.5).eval()


def test_the_mean_of_the_cam_is_the_classifier_of_the_mean(net):
    """What makes it a CAM: pooling after the last layer is pooling before it."""
    image = torch.rand(2, 3, 32, 40)
    cam_logits = net(image)
    assert cam_logits.shape == (2, 3, 4, 5)
    pooled = net.backbone(image)[-1].mean((2, 3))
    expected = pooled @ net.classifier.weight.flatten(1).T
    torch.testing.assert_close(cam_logits.mean((2, 3)), expected)


def test_inference_is_not_negative_and_has_no_gradient(net):
    image = torch.rand(1, 3, 30, 30)
    cam = net.infer(image)
    assert torch.equal(cam, net(image).clamp(min=0))
    assert cam.is_inference()
    assert (net(image) < 0).any()


def test_channels_are_dropped_in_training_only(net):
    feature = torch.ones(1, 6, 4, 4)
    net.train()
    torch.manual_seed(0)
    weights = net.classifier.weight.flatten(1)
    kept = torch.tensor([net.classifier(feature)[0, :, 0, 0].sum() for _ in range(50)])
    assert kept.std() > 0
    # A kept channel counts twice, a dropped one not at all; a map stays constant.
    sums = {round(float(2 * (weights * torch.tensor(bits)).sum()), 3) for bits in _subsets(6)}
    assert {round(float(value), 3) for value in kept} <= sums
    cam_logits = net.classifier(feature)
    assert torch.equal(cam_logits, cam_logits[..., :1, :1].expand_as(cam_logits))


def _subsets(count: int) -> list[list[float]]:
    return [[float(number >> bit & 1) for bit in range(count)] for number in range(2**count)]


def test_there_is_no_bias(net):
    assert [name for name, _ in net.classifier.named_parameters()] == ["weight"]
    assert net.classifier.weight.shape == (3, 6, 1, 1)


def test_grey_images_are_refused(net):
    with pytest.raises(RuntimeError, match="channels"):
        net.classifier(torch.zeros(1, 5, 4, 4))
