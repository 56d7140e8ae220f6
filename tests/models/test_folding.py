"""Rewrites of backbones: the same function, the same gradients, and no rewrite where it is not."""

import copy

import pytest
import timm
import torch
from torch import Tensor, nn

from wsss_core.models.folding import (
    FoldedConv2d,
    batch_to_space,
    fold_batch_norms,
    is_exact,
    space_to_batch,
    unroll_dilation,
)


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


def image(size: int = 64) -> Tensor:
    return torch.randn(1, 3, size, size, generator=torch.Generator().manual_seed(1)).double()


@pytest.mark.parametrize("name", ["tf_efficientnet_lite0", "test_efficientnet", "test_resnet"])
def test_folding_keeps_outputs_and_gradients_of_timm_models(name):
    network = randomize(timm.create_model(name, features_only=True, output_stride=8))
    folded = copy.deepcopy(network)
    fold_batch_norms(folded)
    assert not any(isinstance(m, nn.BatchNorm2d) for m in folded.modules())
    assert len(conv_weights(folded)) == len(conv_weights(network))
    ours, our_gradients = outputs_and_gradients(folded, image(), conv_weights(folded))
    theirs, their_gradients = outputs_and_gradients(network, image(), conv_weights(network))
    torch.testing.assert_close(ours, theirs)
    torch.testing.assert_close(our_gradients, their_gradients)


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


class _Blocks(nn.Module):
    """Convolutions of kernel 3, dilated as told, one after the other; output as a list."""

    def __init__(self, *dilations: int, extra: nn.Module | None = None) -> None:
        super().__init__()
        layers = [
            nn.Sequential(nn.Conv2d(2, 2, 3, padding=d, dilation=d), nn.ReLU()) for d in dilations
        ]
        if extra is not None:
            layers[-1].append(extra)
        self.first = nn.Conv2d(3, 2, 1)
        self.blocks = nn.Sequential(*layers)

    def forward(self, x: Tensor) -> list[Tensor]:
        return [self.blocks(self.first(x))]


def test_dilated_convolutions_run_undilated():
    network = _Blocks(1, 2, 2, 4).double()
    unrolled = copy.deepcopy(network)
    unroll_dilation(unrolled)
    assert list(unrolled.state_dict()) == list(network.state_dict())
    assert all(m.dilation == (1, 1) for m in unrolled.modules() if isinstance(m, nn.Conv2d))
    x = torch.randn(2, 3, 8, 12, generator=torch.Generator().manual_seed(0)).double()
    ours, our_gradients = outputs_and_gradients(unrolled, x, conv_weights(unrolled))
    theirs, their_gradients = outputs_and_gradients(network, x, conv_weights(network))
    torch.testing.assert_close(ours, theirs)
    torch.testing.assert_close(our_gradients, their_gradients)


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


class _Gate(nn.Module):
    """Scales a map by something of its spatial mean, as squeeze-and-excitation does."""

    def forward(self, x: Tensor) -> Tensor:
        return x * (1 + 1e-4 * x.mean((2, 3), keepdim=True))


def test_a_rewrite_is_exact_only_where_nothing_looks_at_the_whole_map():
    assert is_exact(unroll_dilation, _Blocks(2, 2))
    assert not is_exact(unroll_dilation, _Blocks(2, 2, extra=_Gate()))


class _PreActivation(nn.Module):
    """A BatchNorm before its convolution and, by registration, after another one."""

    def __init__(self) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(3, 3, 1)
        self.norm = nn.BatchNorm2d(3)
        self.conv2 = nn.Conv2d(3, 3, 1)

    def forward(self, x: Tensor) -> list[Tensor]:
        return [self.conv2(torch.relu(self.norm(torch.relu(self.conv1(x)))))]


def test_a_new_network_does_not_hide_a_wrong_fold():
    """Folding is wrong here, though not as long as the BatchNorm is an identity."""
    network = _PreActivation()
    before = copy.deepcopy(network.state_dict())
    assert not is_exact(fold_batch_norms, network)
    for name, tensor in network.state_dict().items():
        assert torch.equal(tensor, before[name])


def test_a_rewrite_that_fails_is_not_exact():
    class _OddSizes(_Blocks):
        def forward(self, x: Tensor) -> list[Tensor]:
            return super().forward(x[..., :-1])

    assert not is_exact(unroll_dilation, _OddSizes(2))
