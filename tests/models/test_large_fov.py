"""Tests of DeepLab-v1's head: its layers, and BatchNorms in training and inference."""

import pytest
import torch
import torch.nn.functional as F

from wsss_core.config.backbone import BackboneConfig
from wsss_core.config.segmenter import SegmenterConfig
from wsss_core.models.deeplab import build_deeplab
from wsss_core.models.large_fov import LargeFov


@pytest.fixture
def head() -> LargeFov:
    torch.manual_seed(0)
    return LargeFov(8, 3, rate=2)


def test_layers_are_the_published_ones():
    shapes = {name: tuple(p.shape) for name, p in LargeFov(4096, 21, rate=12).named_parameters()}
    assert shapes == {
        "fov.weight": (512, 4096, 3, 3),
        "mix.weight": (512, 512, 1, 1),
        "classifier.weight": (21, 512, 1, 1),
        "classifier.bias": (21,),
    }


def plain(head: LargeFov, x: torch.Tensor) -> torch.Tensor:
    """Without dropout, with the running statistics."""
    x = F.conv2d(x, head.fov.weight, padding=2, dilation=2)
    for norm, conv in ((head.fov_norm, head.mix), (head.mix_norm, head.classifier)):
        mean, var = (s.view(1, -1, 1, 1) for s in (norm.running_mean, norm.running_var))
        x = F.conv2d(F.relu((x - mean) / (var + 1e-5).sqrt()), conv.weight, conv.bias)
    return x


def test_inference_is_that_of_plain_layers(head):
    for norm in (head.fov_norm, head.mix_norm):
        norm.running_mean.normal_()
        norm.running_var.uniform_(0.5, 2)
    x = torch.randn(2, 8, 5, 7)
    torch.testing.assert_close(head.eval()(x), plain(head, x), rtol=1e-4, atol=1e-4)


def test_training_moves_the_statistics_and_inference_does_not(head):
    x = torch.randn(4, 8, 9, 9) * 3 + 1
    head.fov_norm.momentum = 0.25
    convolved = head.fov(x)
    head.train()(x).sum().backward()
    mean = convolved.mean(dim=(0, 2, 3))
    torch.testing.assert_close(head.fov_norm.running_mean, 0.25 * mean, rtol=1e-4, atol=1e-4)
    assert all(p.grad is not None and p.grad.abs().sum() > 0 for p in head.parameters())
    before = {name: t.clone() for name, t in head.state_dict().items()}
    # No image depends on the others of its batch, and nothing is dropped.
    torch.testing.assert_close(head.eval()(x)[:1], head(x[:1]), rtol=1e-4, atol=1e-4)
    assert all(torch.equal(t, before[name]) for name, t in head.state_dict().items())


@pytest.mark.parametrize(("head", "rates"), [("large_fov", (2,)), ("deeplabv3", (1, 2, 3))])
def test_config_decides_how_fast_the_statistics_move(head, rates):
    backbone = BackboneConfig(name="test_byobnet", output_stride=8)
    config = SegmenterConfig(
        backbone=backbone, head=head, rates=rates, epochs=1, bn_momentum=0.0003
    )
    modules = build_deeplab(config, num_classes=3).modules()
    momenta = [m.momentum for m in modules if isinstance(m, torch.nn.BatchNorm2d)]
    assert len(momenta) >= 2
    assert set(momenta) == {0.0003}
