"""Tests of DeepLab: the ASPP head against plain convolutions, and the whole network."""

import pytest
import torch
import torch.nn.functional as F
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor, nn

from tests.models.tiny_backbone import tiny_backbone
from wsss_core.config.backbone import BackboneConfig
from wsss_core.config.segmenter import SegmenterConfig
from wsss_core.models.cell_positions import Cells
from wsss_core.models.deeplab import Aspp, DeepLab, build_deeplab
from wsss_core.models.geometry import FeatureGeometry
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
    logits.square().sum().backward()
    assert all(p.grad is not None for p in network.parameters() if p.requires_grad)


def test_builder_uses_the_last_stage_at_the_stride_asked_for() -> None:
    backbone = BackboneConfig(name="tf_efficientnet_lite0", output_stride=8)
    config = SegmenterConfig(backbone=backbone, epochs=1, rates=(3, 6))
    network = build_deeplab(config, num_classes=7).eval()
    with torch.no_grad():
        assert network(torch.rand(1, 3, 64, 96)).shape == (1, 7, 8, 12)
    assert [branch.dilation for branch in network.head.branches] == [(3, 3), (6, 6)]


def two_scales(*scales: float) -> DeepLab:
    torch.manual_seed(0)
    backbone = tiny_backbone(is_cornered=False)
    head = nn.Conv2d(backbone.channels[-1], 3, 1)
    return DeepLab(backbone, head, scales=scales)


def test_highest_logit_over_the_scales_by_hand() -> None:
    """Sizes that all grids divide, where resizing is enlarging by a factor."""
    network = two_scales(0.75, 0.5)
    image = torch.rand(2, 3, 64, 96)
    expected = []
    for scale, size in ((1, (64, 96)), (0.75, (48, 72)), (0.5, (32, 48))):
        small = F.interpolate(image, size, mode="bilinear")
        logits = network.head(network.backbone(small)[-1])
        assert logits.shape[2:] == (8 * scale, 12 * scale)
        expected.append(F.interpolate(logits, (8, 12), mode="bilinear"))
    at_scales = network.at_scales(image)
    assert len(at_scales) == 3
    for ours, theirs in zip(at_scales, expected, strict=True):
        torch.testing.assert_close(ours, theirs)
    values = zip(*(logits.flatten().tolist() for logits in expected), strict=True)
    slow = torch.tensor([max(cell) for cell in values]).view(2, 3, 8, 12)
    torch.testing.assert_close(network(image), slow)


@given(height=st.integers(17, 70), width=st.integers(17, 70), scale=st.sampled_from([0.5, 0.75]))
@settings(max_examples=30)
def test_cells_of_a_scale_stay_where_they_are(height: int, width: int, scale: float) -> None:
    """A network that returns where its cells are in the image gives the same at each scale."""

    class Place(nn.Module):
        geometry = FeatureGeometry((Cells(8, 3.5),))

        def forward(self, image: Tensor) -> list[Tensor]:
            return [F.avg_pool2d(image, 8, ceil_mode=True)]

    rows = (torch.arange(height) + 0.5).view(1, 1, -1, 1).expand(1, 1, height, width)
    columns = (torch.arange(width) + 0.5).expand(1, 1, height, width)
    network = DeepLab(Place(), nn.Identity(), scales=(scale,))
    first, other = network.at_scales(torch.cat([rows, columns], dim=1))
    assert first.shape == other.shape
    # Not near the border, where there is nothing to interpolate with, or a cell has padding in it.
    inner = (..., slice(2, -3), slice(2, -3))
    torch.testing.assert_close(other[inner], first[inner], atol=0.6, rtol=0)


def test_one_scale_is_the_network_alone() -> None:
    image = torch.rand(1, 3, 40, 50)
    network = two_scales()
    assert torch.equal(network(image), network.head(network.backbone(image)[-1]))


def test_every_scale_teaches_the_network() -> None:
    network = two_scales(0.5)
    weight = network.head.weight
    first, other = network.at_scales(torch.rand(1, 3, 32, 32))
    for logits in (first, other, torch.maximum(first, other)):
        (gradient,) = torch.autograd.grad(logits.square().sum(), weight, retain_graph=True)
        assert gradient.abs().sum() > 0


@pytest.mark.parametrize(
    ("head", "rates", "names"),
    [
        ("aspp", (2, 4), ["branches.0.weight", "branches.0.bias", "branches.1.weight"]),
        ("large_fov", (2,), ["fov.weight", "mix.weight", "classifier.weight", "classifier.bias"]),
        ("deeplabv3", (2, 4), ["0.convs.0.0.weight", "0.project.0.weight", "1.weight", "4.bias"]),
    ],
)
def test_heads_of_the_config(head: str, rates: tuple[int, ...], names: list[str]) -> None:
    backbone = BackboneConfig(name="test_byobnet", output_stride=8)
    config = SegmenterConfig(
        backbone=backbone, head=head, rates=rates, multi_scale=(0.5,), epochs=1
    )
    network = build_deeplab(config, num_classes=5)
    parameters = dict(network.head.named_parameters())
    assert set(names) <= parameters.keys()
    logits = network.train()(torch.rand(2, 3, 64, 72))
    assert logits.shape == (2, 5, 8, 9)
    logits.square().sum().backward()
    assert all(p.grad is not None for p in network.parameters())
    assert network.scales == (0.5,)
