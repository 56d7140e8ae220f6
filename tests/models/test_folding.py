"""Tests of modified backbones: same outputs and gradients, for each family of timm."""

import copy

import pytest
import timm
import torch
from timm.models._efficientnet_blocks import InvertedResidual, SqueezeExcite
from timm.models.resnet import BasicBlock
from torch import Tensor, nn

from wsss_core.models.folding import (
    FixedConv2d,
    FoldedConv2d,
    SubGridSequential,
    batch_to_space,
    fix_weights,
    fold_batch_norms,
    remove_after,
    space_to_batch,
    unroll_dilation,
)
from wsss_core.models.precision import autocast


def randomize(network: nn.Module, seed: int = 0) -> nn.Module:
    """Gives BatchNorms statistics and affine terms of their own: new ones are identities."""
    generator = torch.Generator().manual_seed(seed)
    for module in network.modules():
        if isinstance(module, nn.BatchNorm2d):
            for tensor in (module.weight.data, module.running_var):
                tensor.copy_(0.5 + torch.rand(tensor.shape, generator=generator))
            for tensor in (module.bias.data, module.running_mean):
                tensor.copy_(torch.randn(tensor.shape, generator=generator))
    return network.double().eval()


def outputs_and_gradients(
    network: nn.Module, image: Tensor, weights: list[nn.Parameter]
) -> tuple[list[Tensor], tuple[Tensor, ...]]:
    features = network(image)
    return features, torch.autograd.grad(sum(f.square().mean() for f in features), weights)


def conv_weights(network: nn.Module) -> list[nn.Parameter]:
    return [m.weight for m in network.modules() if isinstance(m, nn.Conv2d)]


def image(size: int = 32) -> Tensor:
    return torch.randn(1, 3, size, size, generator=torch.Generator().manual_seed(1)).double()


def network_of(name: str, stride: int) -> nn.Module:
    torch.manual_seed(0)
    return randomize(timm.create_model(name, features_only=True, output_stride=stride))


def has_batch_norms(network: nn.Module) -> bool:
    return any(isinstance(module, nn.BatchNorm2d) for module in network.modules())


@pytest.mark.parametrize(
    "name",
    [
        "convnext_atto",  # without BatchNorms
        "efficientnet_b0",
        "mobilenetv3_small_100",
        "regnety_002",
        "resnet18",
        "resnet26d",  # of bottlenecks, and with a stem of three convolutions
        "test_byobnet",
        "tf_efficientnet_lite0",
    ],
)
def test_rewrites_keep_outputs_and_gradients_of_timm_models(name):
    network = network_of(name, 8)
    rewritten = copy.deepcopy(network)
    fold_batch_norms(rewritten)
    unroll_dilation(rewritten)
    assert not has_batch_norms(rewritten)
    assert len(conv_weights(rewritten)) == len(conv_weights(network))
    ours, our_gradients = outputs_and_gradients(rewritten, image(), conv_weights(rewritten))
    theirs, their_gradients = outputs_and_gradients(network, image(), conv_weights(network))
    torch.testing.assert_close(ours, theirs)
    torch.testing.assert_close(our_gradients, their_gradients)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("name", "folds_all"),
    [
        ("dla34", True),
        ("efficientnet_es", True),
        ("ese_vovnet19b_dw", True),
        ("ghostnet_050", False),  # the output of its first convolution is a feature map
        ("hrnet_w18_small", True),
        ("resnest14d", True),
        ("resnetv2_50", False),  # its BatchNorms come first
        ("rexnet_100", True),
        ("skresnet18", True),
        ("xception41", True),
    ],
)
@torch.no_grad()
def test_folding_keeps_outputs_of_rarer_networks(name, folds_all):
    network = network_of(name, 32)
    theirs = network(image())
    fold_batch_norms(network)
    assert has_batch_norms(network) != folds_all
    torch.testing.assert_close(network(image()), theirs)


@pytest.mark.parametrize(
    ("name", "stride", "number", "removes"),
    [
        ("hrnet_w18_small", 32, 3, False),  # its maps come at once
        ("mobilenetv3_small_100", 8, 3, True),
        ("resnet18", 8, 4, True),
        ("tf_efficientnet_lite0", 32, 1, True),
        ("tf_efficientnet_lite0", 8, 4, True),
        ("tf_efficientnet_lite0", 8, 5, False),
    ],
)
@torch.no_grad()
def test_removed_layers_do_not_change_the_maps_before(name, stride, number, removes):
    network = network_of(name, stride)
    theirs = network(image())
    fold_batch_norms(network)
    unroll_dilation(network)
    remove_after(network, number)
    ours = network(image())
    torch.testing.assert_close(ours[:number], theirs[:number])
    assert len(ours) == (number if removes else len(theirs))


@pytest.mark.parametrize("bias", [False, True])
def test_a_folded_convolution_by_hand(bias):
    """x * 3 (+ 1), less the mean 2, times 5 / sqrt(0.25), plus 7."""
    conv, norm = nn.Conv2d(1, 1, 1, bias=bias), nn.BatchNorm2d(1, eps=0)
    conv.weight.data.fill_(3)
    if bias:
        conv.bias.data.fill_(1)
    for tensor, value in (
        (norm.running_mean, 2),
        (norm.running_var, 0.25),
        (norm.weight.data, 5),
        (norm.bias.data, 7),
    ):
        tensor.fill_(value)
    folded = FoldedConv2d(conv, norm)
    output = folded(torch.full((1, 1, 1, 1), 4.0))
    assert output.item() == (4 * 3 + bias - 2) * 10 + 7
    output.backward()
    assert conv.weight.grad.item() == 4 * 10
    assert [name for name, _ in folded.named_parameters()] == ["conv.weight"]
    assert set(folded.state_dict()) == {"conv.weight", "scale", "shift"}


@pytest.mark.parametrize("precision", ["float32", "bfloat16"])
@pytest.mark.parametrize("name", ["resnet18", "tf_efficientnet_lite0"])
@torch.no_grad()
def test_fixed_weights_change_no_bit(name, precision):
    network = network_of(name, 8).float().to(memory_format=torch.channels_last)
    fold_batch_norms(network)
    unroll_dilation(network)
    fixed = copy.deepcopy(network)
    fix_weights(fixed, getattr(torch, precision))
    kinds = {type(module) for module in fixed.modules()}
    assert FixedConv2d in kinds
    assert FoldedConv2d not in kinds
    with autocast(precision, torch.device("cpu")):
        ours, theirs = fixed(image().float()), network(image().float())
    assert all(map(torch.equal, ours, theirs))


class _Blocks(nn.Module):
    """Depthwise blocks in a Sequential, dilated as told; output as a list."""

    def __init__(self, *dilations: int, **options: object) -> None:
        super().__init__()
        self.blocks = nn.Sequential(
            *(InvertedResidual(4, 4, exp_ratio=2, dilation=d, **options) for d in dilations)
        )

    def forward(self, x: Tensor) -> list[Tensor]:
        return [self.blocks(x)]


def test_dilated_blocks_run_undilated():
    network = randomize(_Blocks(1, 2, 2, 4))
    unrolled = copy.deepcopy(network)
    unroll_dilation(unrolled)
    assert list(unrolled.state_dict()) == list(network.state_dict())
    assert unrolled.blocks.dilations == [1, 2, 2, 4]
    assert all(m.dilation == (1, 1) for m in unrolled.modules() if isinstance(m, nn.Conv2d))
    x = torch.randn(2, 4, 8, 12, generator=torch.Generator().manual_seed(0)).double()
    ours, our_gradients = outputs_and_gradients(unrolled, x, conv_weights(unrolled))
    theirs, their_gradients = outputs_and_gradients(network, x, conv_weights(network))
    torch.testing.assert_close(ours, theirs)
    torch.testing.assert_close(our_gradients, their_gradients)


@pytest.mark.parametrize(
    "network",
    [
        _Blocks(2, 2, se_layer=SqueezeExcite),
        _Blocks(2, 2, exp_kernel_size=3),  # two convolutions, of which one is dilated
        _Blocks(1, 1),
        nn.Sequential(nn.Conv2d(4, 4, 3, padding=2, dilation=2)),
    ],
    ids=["squeeze-and-excitation", "two dilations", "undilated", "dense"],
)
def test_other_blocks_stay_dilated(network):
    dilations = [m.dilation for m in network.modules() if isinstance(m, nn.Conv2d)]
    unroll_dilation(network)
    assert dilations == [m.dilation for m in network.modules() if isinstance(m, nn.Conv2d)]
    assert not any(isinstance(module, SubGridSequential) for module in network.modules())


def test_sub_grids_by_hand():
    grids = space_to_batch(torch.arange(8.0).view(1, 1, 2, 4), 2)
    assert grids.tolist() == [[[[0, 2]]], [[[1, 3]]], [[[4, 6]]], [[[5, 7]]]]


def test_batch_to_space_undoes_space_to_batch():
    x = torch.randn(2, 3, 8, 12)
    assert torch.equal(batch_to_space(space_to_batch(x, 4), 4), x)


def test_sides_that_are_no_multiple_are_refused():
    with pytest.raises(RuntimeError, match="invalid for input of size"):
        space_to_batch(torch.zeros(1, 1, 5, 4), 2)


def test_no_convolution_of_the_compact_backbone_stays_dilated():
    """Dilated depthwise convolutions take most of the time of a network that has them."""
    network = timm.create_model("tf_efficientnet_lite0", features_only=True, output_stride=8)
    dilated = [m for m in network.modules() if isinstance(m, nn.Conv2d) and m.dilation != (1, 1)]
    assert dilated
    unroll_dilation(network)
    assert all(conv.dilation == (1, 1) for conv in dilated)


def test_names_of_weights_do_not_depend_on_the_stride():
    keys = []
    for stride in (8, 16, 32):
        network = timm.create_model(
            "tf_efficientnet_lite0", features_only=True, output_stride=stride
        )
        fold_batch_norms(network)
        unroll_dilation(network)
        keys.append(list(network.state_dict()))
    assert keys[0] == keys[1] == keys[2]


class _PreActivation(nn.Module):
    """A BatchNorm before its convolution and, by registration, after another one."""

    def __init__(self) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(3, 3, 1)
        self.norm = nn.BatchNorm2d(3)
        self.conv2 = nn.Conv2d(3, 3, 1)

    def forward(self, x: Tensor) -> list[Tensor]:
        return [self.conv2(torch.relu(self.norm(torch.relu(self.conv1(x)))))]


class _OwnBlock(BasicBlock):
    """May do anything."""


@pytest.mark.parametrize("network", [_PreActivation(), _OwnBlock(3, 3)])
def test_what_is_of_no_known_type_is_not_folded(network):
    fold_batch_norms(network)
    assert has_batch_norms(network)
    assert not any(isinstance(module, FoldedConv2d) for module in network.modules())
