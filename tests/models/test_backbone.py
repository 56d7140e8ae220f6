"""Tests of backbones: one interface for timm's models and ResNet38d."""

import math

import pytest
import timm
import torch
from torch import Tensor, nn

from wsss_core.config.backbone import BackboneConfig
from wsss_core.models.backbone import PACKAGED_LITE0, Backbone, _simplify, build_backbone
from wsss_core.models.geometry import FeatureGeometry
from wsss_core.pretrained.imagenet import load_pretrained
from wsss_core.runtime.errors import UserError

SMALL = BackboneConfig(name="test_byobnet", output_stride=8)


@pytest.fixture(scope="module")
def lite0() -> Backbone:
    torch.manual_seed(0)
    return build_backbone(BackboneConfig(name="tf_efficientnet_lite0", output_stride=8)).eval()


@pytest.fixture(scope="module")
def small() -> Backbone:
    torch.manual_seed(0)
    return build_backbone(SMALL).eval()


def image(height: int, width: int) -> Tensor:
    return torch.rand(2, 3, height, width, generator=torch.Generator().manual_seed(0))


@pytest.mark.parametrize("size", [(64, 64), (33, 64), (50, 71), (7, 1)])
def test_features_of_any_size(small, size):
    features = small(image(*size))
    assert [f.shape[1] for f in features] == list(small.channels)
    assert small.geometry.strides == (2, 4, 8, 8, 8)
    for feature, stride in zip(features, small.geometry.strides, strict=True):
        assert feature.shape == (2, feature.shape[1], *(math.ceil(side / stride) for side in size))


@pytest.mark.parametrize("size", [(64, 64), (50, 71)])
def test_features_are_those_of_timm(lite0, size):
    """On an image behind a margin, on a canvas of zeros, which is the mean colour."""
    torch.manual_seed(0)
    network = timm.create_model("tf_efficientnet_lite0", features_only=True, output_stride=8)
    normalized = (image(*size) - 0.5) / 0.5
    margin = lite0.geometry.margin
    sides = [32 * math.ceil((margin + side) / 32) for side in size]
    canvas = torch.zeros(2, 3, *sides)
    canvas[:, :, margin : margin + size[0], margin : margin + size[1]] = normalized
    with torch.no_grad():
        theirs, ours = network.eval()(canvas), lite0(image(*size))
    for feature, other, stride in zip(ours, theirs, lite0.geometry.strides, strict=True):
        other = other[..., margin // stride :, margin // stride :]
        other = other[..., : feature.shape[2], : feature.shape[3]]
        torch.testing.assert_close(feature, other, rtol=1e-3, atol=1e-4 * other.abs().max().item())


def test_padding_has_the_colour_that_normalizes_to_zero(lite0):
    resnet = Backbone(
        nn.Identity(),
        channels=(),
        geometry=FeatureGeometry(()),
        mean=(0.485, 0.456, 0.406),
        std=(0.2, 0.2, 0.2),
    )
    assert resnet.fill == (124, 116, 104)
    assert lite0.fill == (128, 128, 128)
    grey = resnet.mean.view(1, 3, 1, 1).expand(1, 3, 2, 2)
    assert resnet.normalize(grey).count_nonzero() == 0
    torch.testing.assert_close(resnet.normalize(grey + 0.2), torch.ones(1, 3, 2, 2))


def test_every_parameter_learns_and_nothing_else_is_one(lite0):
    parameters = dict(lite0.named_parameters())
    assert not any(isinstance(m, nn.BatchNorm2d) for m in lite0.modules())
    lite0.zero_grad()
    sum(f.square().mean() for f in lite0.train()(image(64, 64))).backward()
    lite0.eval()
    assert all(p.grad is not None and p.grad.abs().sum() > 0 for p in parameters.values())


def test_training_mode_changes_nothing(small):
    x = image(64, 64)
    trained = small.train()(x)
    for feature, other in zip(small.eval()(x), trained, strict=True):
        assert torch.equal(feature, other)


def test_weights_of_one_network_fit_another_that_is_built_the_same_way(small):
    torch.manual_seed(1)
    other = build_backbone(SMALL).eval()
    assert not torch.equal(other(image(32, 32))[-1], small(image(32, 32))[-1])
    other.load_state_dict(small.state_dict())
    assert torch.equal(other(image(32, 32))[-1], small(image(32, 32))[-1])


def test_output_strides():
    for stride, strides in ((16, (2, 4, 8, 16, 16)), (32, (2, 4, 8, 16, 32))):
        backbone = build_backbone(SMALL.model_copy(update={"output_stride": stride}))
        assert backbone.geometry.strides == strides
        assert backbone(image(64, 64))[-1].shape[-1] == 64 // stride


def test_packaged_weights_are_those_of_imagenet():
    config = BackboneConfig(name="tf_efficientnet_lite0", output_stride=32, weights=PACKAGED_LITE0)
    backbone = build_backbone(config, load=load_pretrained)
    assert backbone.fill == (127, 127, 127)
    torch.testing.assert_close(
        backbone.normalize(torch.ones(1, 3, 1, 1)).flatten(), torch.full((3,), 1.0)
    )
    stem = backbone.network.conv_stem
    assert stem.scale.std() > 0.1 and stem.shift.abs().max() > 0.1
    unloaded = build_backbone(config)
    assert unloaded.fill == backbone.fill
    assert torch.equal(
        unloaded.network.conv_stem.shift, torch.zeros_like(unloaded.network.conv_stem.shift)
    )


def test_weights_with_names_of_another_network_are_read_in_order(tmp_path, small):
    network = timm.create_model("test_byobnet", features_only=True, output_stride=8)
    state = network.state_dict()
    tensors = {f"layer.{i}": t for i, t in enumerate(state.values()) if t.ndim}  # no counters
    path = tmp_path / "weights.pth"
    torch.save(tensors | {"classifier": torch.zeros(10)}, path)
    config = SMALL.model_copy(update={"weights": str(path)})
    backbone = build_backbone(config, load=load_pretrained)
    first = next(m for m in network.modules() if isinstance(m, nn.Conv2d))
    assert torch.equal(next(backbone.parameters()), first.weight)

    torch.save(dict(list(tensors.items())[:-1]), path)
    with pytest.raises(UserError, match=r"weights\.pth: \d+ tensors, backbone 'test_byobnet' has"):
        build_backbone(config, load=load_pretrained)
    torch.save(tensors | {"layer.0": torch.zeros(2)}, path)
    with pytest.raises(UserError, match=r"tensor 'layer\.0' has shape \(2,\), but"):
        build_backbone(config, load=load_pretrained)
    path.unlink()
    with pytest.raises(UserError, match=r"weights\.pth: weights of backbone .* not found"):
        build_backbone(config, load=load_pretrained)


def test_backbones_that_cannot_be_built_are_named():
    with pytest.raises(UserError, match="backbone 'no_such_net': timm has no network of this name"):
        build_backbone(BackboneConfig(name="no_such_net"))
    with pytest.raises(UserError, match="'resnet38d': output_stride is 8, got 16"):
        build_backbone(BackboneConfig(name="resnet38d", output_stride=16))


@pytest.mark.usefixtures("narrow_resnet38d")
def test_resnet38d_and_weights_of_another_network(tmp_path):
    config = BackboneConfig(name="resnet38d")
    backbone = build_backbone(config)
    assert [tuple(f.shape[2:]) for f in backbone(image(20, 33))] == [
        (math.ceil(20 / stride), math.ceil(33 / stride)) for stride in (1, 2, 4, 8, 8, 8, 8)
    ]
    path = tmp_path / "weights.pth"
    config = config.model_copy(update={"weights": str(path)})
    torch.save(backbone.network.state_dict(), path)
    loaded = build_backbone(config, load=load_pretrained)
    assert torch.equal(next(loaded.parameters()), next(backbone.parameters()))
    torch.save({"conv1.weight": torch.zeros(1)}, path)
    with pytest.raises(UserError, match=r"weights\.pth: not weights of 'resnet38d'"):
        build_backbone(config, load=load_pretrained)


def test_batch_norms_that_cannot_be_folded_are_frozen():
    """Those of a ResNet of pre-activations."""
    torch.manual_seed(0)
    network = timm.create_model("resnetv2_50", features_only=True, output_stride=16)
    for norm in (m for m in network.modules() if isinstance(m, nn.BatchNorm2d)):
        norm.running_var.uniform_(0.5, 1.5)
        norm.running_mean.normal_()
    x = image(32, 32).double()
    with torch.no_grad():
        theirs = network.double().eval()(x)
    simple = _simplify(network).train()
    state = {name: tensor.clone() for name, tensor in simple.state_dict().items()}
    ours = simple(x)
    torch.testing.assert_close(ours, theirs)
    sum(feature.square().mean() for feature in ours).backward()
    assert all(torch.equal(tensor, state[name]) for name, tensor in simple.state_dict().items())
    assert "stages_0.blocks.0.norm1.running_mean" in state
    assert not [name for name, _ in simple.named_parameters() if ".norm" in name]
    assert all(parameter.grad is not None for parameter in simple.parameters())


@pytest.mark.parametrize("name", ["tf_efficientnet_lite0", "resnet18"])
def test_frozen_stages_keep_what_their_features_depend_on(name):
    frozen = build_backbone(BackboneConfig(name=name, output_stride=16, frozen_stages=2))
    features = frozen(image(64, 64))
    assert [feature.requires_grad for feature in features] == [False, False, True, True, True]
    features[2].sum().backward()
    last = {p for p in frozen.parameters() if p.requires_grad and p.grad is None}
    free = build_backbone(BackboneConfig(name=name, output_stride=16))
    assert all(p.requires_grad for p in free.parameters())
    trained = [p for p in frozen.parameters() if p.requires_grad]
    assert 0 < len(last) < len(trained) < len(list(free.parameters()))


def test_resnet38d_keeps_its_first_two_stages_in_any_case():
    trained = [
        [n for n, p in build_backbone(config).named_parameters() if p.requires_grad]
        for config in (
            BackboneConfig(name="resnet38d"),
            BackboneConfig(name="resnet38d", frozen_stages=2),
        )
    ]
    assert trained[0] == trained[1]


def test_a_stage_that_is_not_there_cannot_be_frozen():
    with pytest.raises(
        UserError, match=r"frozen_stages is \[1, 2, 3, 4, 5, 6\]; expected stages 1"
    ):
        build_backbone(BackboneConfig(name="test_byobnet", frozen_stages=6))
