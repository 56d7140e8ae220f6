"""DeepLab: the ASPP head against plain convolutions, and the whole network."""

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor, nn

from wsss_core.config.backbone import BackboneConfig
from wsss_core.config.segmenter import SegmenterConfig
from wsss_core.models.deeplab import Aspp, DeepLab, build_deeplab
from wsss_core.models.resnet38d import ResNet38d


def _by_convolutions(aspp: Aspp, x: Tensor) -> Tensor:
    return torch.stack([branch(x) for branch in aspp.branches]).sum(dim=0)


@given(
    rates=st.lists(st.integers(1, 7), min_size=1, max_size=4),
    height=st.integers(1, 9),
    width=st.integers(1, 9),
    channels=st.integers(1, 4),
    channels_last=st.booleans(),
)
@settings(max_examples=30)
def test_aspp_equals_the_sum_of_its_convolutions(
    rates: list[int], height: int, width: int, channels: int, channels_last: bool
) -> None:
    torch.manual_seed(height * 10 + width)
    aspp = Aspp(channels, 3, rates=tuple(rates))
    for branch in aspp.branches:
        nn.init.normal_(branch.weight)
        nn.init.normal_(branch.bias)
    x = torch.randn(2, channels, height, width)
    if channels_last:
        x = x.contiguous(memory_format=torch.channels_last)
    torch.testing.assert_close(aspp(x), _by_convolutions(aspp, x), rtol=1e-4, atol=1e-4)


def test_aspp_gradients_equal_those_of_its_convolutions() -> None:
    torch.manual_seed(0)
    aspp = Aspp(3, 2, rates=(1, 3))
    x = torch.randn(1, 3, 6, 5, requires_grad=True)
    target = torch.randn(1, 2, 6, 5)
    gradients = []
    for logits in (aspp(x), _by_convolutions(aspp, x)):
        loss = (logits * target).sum()
        gradients.append(torch.autograd.grad(loss, [x, *aspp.parameters()]))
    for ours, theirs in zip(*gradients, strict=True):
        torch.testing.assert_close(ours, theirs, rtol=1e-4, atol=1e-4)


def test_aspp_by_hand() -> None:
    aspp = Aspp(1, 1, rates=(2,))
    with torch.no_grad():
        aspp.branches[0].weight.copy_(torch.arange(9.0).view(1, 1, 3, 3))
        aspp.branches[0].bias.fill_(0.5)
    x = torch.zeros(1, 1, 5, 5)
    x[0, 0, 2, 4] = 1
    logits = aspp(x)[0, 0]
    # The tap with weight 5 looks two cells to the right, the centre 4, that with 1 two cells up.
    assert logits[2, 2].item() == 5.5
    assert logits[2, 4].item() == 4.5
    assert logits[4, 4].item() == 1.5
    assert logits[2, 3].item() == 0.5


def test_new_head_is_the_published_one() -> None:
    torch.manual_seed(0)
    aspp = Aspp(320, 21, rates=(6, 12, 18, 24))
    weights = torch.stack([branch.weight for branch in aspp.branches])
    assert weights.std().item() == pytest.approx(0.01, rel=0.02)
    assert weights.mean().item() == pytest.approx(0, abs=1e-4)
    assert sum(branch.bias.abs().sum() for branch in aspp.branches) == 0


def test_network_over_resnet38d_learns_in_all_trained_parts() -> None:
    torch.manual_seed(0)
    backbone = ResNet38d(width=1 / 32)
    network = DeepLab(backbone, Aspp(backbone.channels[-1], 4, rates=(1, 2)))
    logits = network(torch.rand(2, 3, 32, 64))
    assert logits.shape == (2, 4, 4, 8)
    assert network.stride == 8
    logits.square().sum().backward()
    assert all(p.grad is not None for p in network.parameters() if p.requires_grad)


def test_builder_uses_the_last_stage_at_the_stride_asked_for() -> None:
    backbone = BackboneConfig(name="tf_efficientnet_lite0", output_stride=8)
    config = SegmenterConfig(backbone=backbone, epochs=1, rates=(3, 6))
    network = build_deeplab(config, num_classes=7).eval()
    with torch.no_grad():
        assert network(torch.rand(1, 3, 64, 96)).shape == (1, 7, 8, 12)
    assert [branch.dilation for branch in network.head.branches] == [(3, 3), (6, 6)]
