"""Tests of the layers whose gradients oneDNN computes wrongly on CPUs."""

import pytest
import torch
from torch import nn

from wsss_core.config.backbone import BackboneConfig
from wsss_core.models.backbone import build_backbone
from wsss_core.models.resnet38d import ResNet38d
from wsss_core.runtime.errors import UserError
from wsss_core.training.broken_gradients import refuse_broken_gradients

CPU = torch.device("cpu")


def shortcut(channels: int, **changes) -> nn.Module:
    options = {"kernel_size": 1, "stride": 2} | changes
    return nn.Sequential(nn.Identity(), nn.Conv2d(channels, 32, **options))


def test_a_narrow_strided_convolution_is_refused():
    expected = "^1: a strided 1x1 convolution of 12 channels, .*; expected at least 16, or a GPU$"
    with pytest.raises(UserError, match=expected):
        refuse_broken_gradients(shortcut(12), CPU)


@pytest.mark.parametrize(
    "model",
    [
        shortcut(16),
        shortcut(12, stride=1),
        shortcut(12, kernel_size=3),
        shortcut(12, groups=4),
        shortcut(12).requires_grad_(requires_grad=False),
    ],
)
def test_others_are_not(model):
    refuse_broken_gradients(model, CPU)


def test_a_gpu_trains_all():
    refuse_broken_gradients(shortcut(12), torch.device("cuda"))


@pytest.mark.parametrize("name", ["tf_efficientnet_lite0", "resnet18", "regnetx_002"])
def test_timm_s_networks_are_wide_enough(name):
    refuse_broken_gradients(build_backbone(BackboneConfig(name=name, output_stride=16)), CPU)


def test_resnet38d_is_wide_enough_down_to_an_eighth():
    with torch.device("meta"):
        networks = {width: ResNet38d(width=width) for width in (1, 1 / 8, 1 / 16)}
    refuse_broken_gradients(networks[1], CPU)
    refuse_broken_gradients(networks[1 / 8], CPU)
    with pytest.raises(UserError, match="^b3.conv_branch1: .* of 8 channels"):
        refuse_broken_gradients(networks[1 / 16], CPU)


@pytest.mark.parametrize("channels", [16, 20, 24, 64])
@pytest.mark.parametrize("batch_size", [1, 3])
def test_gradients_of_wide_ones_are_right(channels, batch_size):
    torch.manual_seed(0)
    x = torch.randn(batch_size, channels, 32, 32).contiguous(memory_format=torch.channels_last)
    weight = torch.randn(32, channels, 1, 1, requires_grad=True)
    y = nn.functional.conv2d(x, weight, stride=2)
    slope = torch.randn_like(y)
    (got,) = torch.autograd.grad(y, weight, slope)
    expected = torch.einsum("bohw,bihw->oi", slope, x[..., ::2, ::2])
    torch.testing.assert_close(got[..., 0, 0], expected, rtol=1e-4, atol=1e-4)
