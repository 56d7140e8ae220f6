"""Tests of ResNet38d: the published table of layers, frozen parts and features."""

import pytest
import torch
from torch import nn

from wsss_core.models.resnet38d import FrozenBatchNorm, ResNet38d


@pytest.fixture
def small() -> ResNet38d:
    torch.manual_seed(0)
    return ResNet38d(width=1 / 16)


@pytest.fixture(scope="module")
def full() -> ResNet38d:
    with torch.device("meta"):
        return ResNet38d()


def test_full_width_has_the_published_number_of_weights(full: ResNet38d) -> None:
    convs = [module for module in full.modules() if isinstance(module, nn.Conv2d)]
    weights = sum(conv.weight.numel() for conv in convs)
    assert round(weights / 1e6, 2) == 105.02
    assert all(conv.bias is None for conv in convs)
    assert full.channels == (64, 128, 256, 512, 1024, 2048, 4096)
    # With the classification layer these are the 38 that the name counts.
    main_path = [
        conv
        for name, conv in full.named_modules()
        if isinstance(conv, nn.Conv2d) and not name.endswith("conv_branch1")
    ]
    assert len(main_path) == 37


def test_state_dict_names_are_those_of_the_public_weights(full: ResNet38d) -> None:
    names = set(full.state_dict())
    expected = {"conv1a.weight", "bn7.running_var"}
    for block in ("b2", "b2_2", "b3_1", "b4_5", "b5", "b5_2", "b6", "b7"):
        expected |= {f"{block}.conv_branch2a.weight", f"{block}.conv_branch2b1.weight"}
        expected |= {f"{block}.bn_branch2a.{term}" for term in ("weight", "bias", "running_mean")}
    for block in ("b2", "b3", "b4", "b5", "b6", "b7"):
        expected.add(f"{block}.conv_branch1.weight")
    expected |= {"b6.conv_branch2b2.weight", "b7.bn_branch2b2.bias"}
    assert expected <= names
    assert "b5_1.conv_branch1.weight" not in names
    assert full.state_dict()["b5.conv_branch2a.weight"].shape == (512, 512, 3, 3)
    assert full.state_dict()["b7.conv_branch2b1.weight"].shape == (2048, 1024, 3, 3)


def test_dilations_and_dropout_follow_the_table(full: ResNet38d) -> None:
    dilated = {
        name: module.dilation[0]
        for name, module in full.named_modules()
        if isinstance(module, nn.Conv2d) and module.dilation[0] > 1
    }
    assert dilated == {
        "b5.conv_branch2b1": 2,
        "b5_1.conv_branch2a": 2,
        "b5_1.conv_branch2b1": 2,
        "b5_2.conv_branch2a": 2,
        "b5_2.conv_branch2b1": 2,
        "b6.conv_branch2b1": 4,
        "b7.conv_branch2b1": 4,
    }
    assert (full.get_submodule("b6.dropout").p, full.get_submodule("b7.dropout").p) == (0.3, 0.5)


@pytest.mark.parametrize(("size", "expected"), [(64, (64, 32, 16, 8)), (134, (134, 67, 34, 17))])
def test_features_have_the_published_sizes(
    small: ResNet38d, size: int, expected: tuple[int, ...]
) -> None:
    features = small.eval()(torch.rand(2, 3, size, size - 8))
    sizes = (*expected, *(expected[-1],) * 3)
    assert [feature.shape[2] for feature in features] == list(sizes)
    assert tuple(feature.shape[1] for feature in features) == small.channels
    for feature, stride in zip(features, small.strides, strict=True):
        assert feature.shape[3] == -(-(size - 8) // stride)
        assert feature.min() >= 0


def test_frozen_parts_do_not_train_and_the_rest_does(small: ResNet38d) -> None:
    small.train()
    before = {name: buffer.clone() for name, buffer in small.named_buffers()}
    sum(feature.sum() for feature in small(torch.rand(1, 3, 32, 32))).backward()
    trained = {
        name.split(".")[0] for name, value in small.named_parameters() if value.grad is not None
    }
    blocks = {name for name, _ in small.named_children()}
    assert trained == blocks - {"conv1a", "b2", "b2_1", "b2_2", "bn7"}
    assert not [name for name, _ in small.named_parameters() if "bn" in name]
    assert all(torch.equal(buffer, before[name]) for name, buffer in small.named_buffers())


def test_dropout_acts_only_in_training(small: ResNet38d) -> None:
    image = torch.rand(1, 3, 32, 32)
    small.train()
    assert not torch.equal(small(image)[-1], small(image)[-1])
    small.eval()
    assert torch.equal(small(image)[-1], small(image)[-1])


def test_frozen_batch_norm_equals_an_evaluated_one() -> None:
    generator = torch.Generator().manual_seed(0)
    reference = nn.BatchNorm2d(5).eval()
    with torch.no_grad():
        for tensor in (reference.weight, reference.bias, reference.running_mean):
            tensor.copy_(torch.randn(5, generator=generator))
        reference.running_var.copy_(torch.rand(5, generator=generator))
    ours = FrozenBatchNorm(5)
    ours.load_state_dict(reference.state_dict())  # with its num_batches_tracked
    ours.train()
    x = torch.randn(2, 5, 4, 3, generator=generator)
    torch.testing.assert_close(ours(x), reference(x))
    assert ours(x.bfloat16()).dtype == torch.bfloat16
