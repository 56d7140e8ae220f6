"""Tests of the boundary head of the smoothing branch."""

import pytest
import torch
from torch import Tensor

from tests.pretrained.released_weights import sbnet_head
from wsss_core.models.boundary_head import BoundaryHead, ResidualChannelAttention
from wsss_core.ops.grid import Grid, cornered, even, pixels, spaced

SIZE = (12, 10)
GRID = pixels(SIZE)


def head(*, canny: bool, **form) -> BoundaryHead:
    torch.manual_seed(0)
    return BoundaryHead((4, 6), 3, channels=5, canny=canny, **form)


def features() -> list[tuple[Tensor, Grid]]:
    generator = torch.Generator().manual_seed(1)
    return [
        (torch.rand(2, channels, *size, generator=generator), even(SIZE, size))
        for channels, size in ((4, (12, 12)), (6, (3, 3)))
    ]


def edges(value: float) -> Tensor:
    return torch.full((2, 1, *SIZE), value)


FORMS = pytest.mark.parametrize("form", ["paper", "released"])


@FORMS
def test_logits_of_the_size_that_is_asked_for(form):
    assert head(canny=True, form=form)(features(), edges(0), GRID).shape == (2, 3, *SIZE)
    assert head(canny=False, form=form)(features(), None, GRID).shape == (2, 3, *SIZE)


def test_edges_count_for_nothing_at_first():
    with_edges = head(canny=True)
    without = head(canny=False)
    without.load_state_dict(
        {name: t for name, t in with_edges.state_dict().items() if not name.startswith("fuse")}
    )
    expected = without(features(), None, GRID)
    for value in (0.0, 1.0):
        torch.testing.assert_close(with_edges(features(), edges(value), GRID), expected)


def test_fusion_is_two_factors_and_a_bias_per_class():
    """Paper eq. 1: class c sees its own boundary and the edges, and no other class."""
    fused = head(canny=True)
    assert sum(p.numel() for p in fused.fuse.parameters()) == 3 * 3
    edge_map = torch.rand(2, 1, *SIZE, generator=torch.Generator().manual_seed(2))
    initial = fused(features(), edge_map, GRID)
    factors, bias = torch.randn(3, 2), torch.randn(3)
    fused.fuse.weight.data.copy_(factors.view(3, 2, 1, 1))
    fused.fuse.bias.data.copy_(bias)
    expected = torch.stack(
        [
            factors[c, 0] * initial[:, c] + factors[c, 1] * edge_map[:, 0] + bias[c]
            for c in range(3)
        ],
        dim=1,
    )
    torch.testing.assert_close(fused(features(), edge_map, GRID), expected)


def test_parameters_of_the_paper():
    """Four stages of ResNet38d, each 1x1 to 32 and 3x3; two 3x3 on 128; fusion of 21 classes."""
    published = BoundaryHead((64, 256, 1024, 2048), 21, channels=32, canny=True)
    stages = sum(channels * 32 + 32 for channels in (64, 256, 1024, 2048)) + 4 * (9 * 32 * 32 + 32)
    predict = 9 * 128 * 128 + 128 + 9 * 128 * 21 + 21
    assert sum(p.numel() for p in published.parameters()) == stages + predict + 3 * 21


def test_parameters_of_the_released_code():
    published = BoundaryHead((64, 256, 1024, 2048), 21, channels=32, canny=True, form="released")
    assert sum(p.numel() for p in published.parameters()) == 468_111
    shapes = sorted(tuple(p.shape) for p in published.parameters())
    assert shapes == sorted(sbnet_head().values())


def test_the_released_fusion_mixes_all_classes():
    """Plain concatenation: first all boundaries, then as many copies of the edges; no bias."""
    fused = head(canny=True, form="released")
    assert fused.fuse.bias is None and fused.fuse.weight.shape == (3, 6, 1, 1)
    edge_map = torch.rand(2, 1, *SIZE, generator=torch.Generator().manual_seed(2))
    fused.fuse.weight.data.copy_(torch.eye(3, 6).view(3, 6, 1, 1))
    initial = fused(features(), edge_map, GRID)
    weight = torch.randn(3, 6)
    fused.fuse.weight.data.copy_(weight.view(3, 6, 1, 1))
    expected = torch.einsum("oc,bchw->bohw", weight[:, :3], initial)
    expected = expected + weight[:, 3:].sum(1)[:, None, None] * edge_map
    torch.testing.assert_close(fused(features(), edge_map, GRID), expected)


def test_channel_attention_adds_to_whole_channels():
    """Without its convolutions the block gives x and what attention adds, the same everywhere."""
    torch.manual_seed(0)
    block = ResidualChannelAttention(32)
    x = torch.randn(2, 32, 6, 7)
    for convolution in (block.body[0], block.body[2]):
        torch.nn.init.zeros_(convolution.weight)
    added = block(x) - x
    torch.testing.assert_close(added, added[..., :1, :1].expand_as(added), atol=1e-6, rtol=0)
    assert added.abs().max() > 0.01
    assert block.attention[1].weight.shape == (2, 32, 1, 1)


@pytest.mark.parametrize(
    ("grid", "expected"),
    [
        (cornered((5, 5), (3, 3)), [0, 0.5, 1, 1.5, 2]),
        (even((5, 5), (3, 3)), [0, 0.4, 1, 1.6, 2]),
        (spaced((5, 5), stride=2, offset=1), [0, 0, 0.5, 1, 1.5]),
    ],
)
def test_features_are_read_where_their_cells_lie(grid, expected):
    ramp = torch.arange(3.0).expand(1, 1, 3, 3)
    boundary_head = BoundaryHead((1,), 1, channels=1, canny=False)
    boundary_head.reduce[0], boundary_head.predict = torch.nn.Identity(), torch.nn.Identity()
    resized = boundary_head([(ramp, grid)], None, pixels((5, 5)))
    assert resized[0, 0, 0].tolist() == pytest.approx(expected, abs=1e-6)


@FORMS
def test_gradients_reach_the_features(form):
    """They are not detached: the branch teaches the backbone too."""
    maps = features()
    for feature, _ in maps:
        feature.requires_grad_()
    boundary_head = head(canny=True, form=form)
    if form == "released":  # so that its only channel is above zero
        torch.nn.init.ones_(boundary_head.predict[0].attention[1].bias)
    boundary_head(maps, edges(1), GRID).square().sum().backward()
    assert all(f.grad.abs().sum() > 0 for f, _ in maps)
    assert all(p.grad.abs().sum() > 0 for p in boundary_head.parameters())


def test_a_head_for_edges_needs_them():
    with pytest.raises(AssertionError, match="built to fuse Canny edges"):
        head(canny=True)(features(), None, GRID)
