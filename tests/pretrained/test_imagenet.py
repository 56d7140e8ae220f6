"""Tests of loading ImageNet weights into backbones."""

import numpy as np
import pytest
import timm
import torch
import torch.nn.functional as F
from safetensors.torch import save_file

from tests.pretrained import released_weights as released
from tests.pretrained.mxnet_writer import write_params
from tests.pretrained.released_weights import NARROW
from wsss_core.config.backbone import BackboneConfig
from wsss_core.models.backbone import _use_caffe_strides, build_backbone
from wsss_core.pretrained.imagenet import load_pretrained, load_tensors
from wsss_core.runtime.errors import UserError

pytestmark = pytest.mark.usefixtures("narrow_resnet38d")


def resnet38d(path):
    config = BackboneConfig(name="resnet38d", weights=str(path))
    return build_backbone(config, load=load_pretrained).network.state_dict()


@pytest.mark.parametrize("header", ["v2", "v1", "legacy"])
def test_params_and_pth_of_resnet38d_are_the_same(tmp_path, header):
    arrays = {
        name: np.random.default_rng(index).normal(size=shape).astype("f4")
        for index, (name, shape) in enumerate(released.resnet38d_params(NARROW).items())
    }
    read = resnet38d(write_params(tmp_path / "a1.params", arrays, header=header))
    # Both tables list the tensors in one order.
    tensors = dict(
        zip(released.resnet38d_pth(NARROW), map(torch.from_numpy, arrays.values()), strict=False)
    )
    assert set(read) == set(tensors)
    assert all(torch.equal(read[name], tensors[name]) for name in tensors)
    np.testing.assert_array_equal(
        read["b5_2.bn_branch2b1.running_var"], arrays["aux:bn5b2_branch2b1_moving_var"]
    )
    counters = {"bn7.num_batches_tracked": torch.tensor(5)}
    torch.save(tensors | counters, tmp_path / "a1.pth")
    again = resnet38d(tmp_path / "a1.pth")
    assert all(torch.equal(again[name], tensors[name]) for name in tensors)


def test_arrays_that_do_not_fit_are_listed(tmp_path):
    shapes = released.resnet38d_params(NARROW)
    del shapes["arg:bn7_gamma"]
    shapes |= {"arg:res2a_branch1_weight": (1, 1, 1, 1), "arg:fc1_bias": (1,)}
    arrays = {name: np.zeros(shape, "f4") for name, shape in shapes.items()}
    path = write_params(tmp_path / "a1.params", arrays)
    with pytest.raises(UserError) as error:
        resnet38d(path)
    assert str(error.value) == (
        f"{path}: not weights of 'resnet38d': missing: bn7_gamma; extra: fc1_bias; "
        "mis-shaped: res2a_branch1_weight is [1, 1, 1, 1] and should be [4, 2, 1, 1]"
    )


def small_resnet():
    """A ResNet of bottlenecks, one block in the first stages and two in the others."""
    torch.manual_seed(0)
    return timm.create_model(
        "resnet101", features_only=True, output_stride=8, layers=(2, 2, 2, 2), base_width=4
    ).eval()


def caffe_bottleneck(x, block, *, stride, dilation):
    def unit(x, conv, norm, **options):
        x = F.conv2d(x, conv.weight, **options)
        return norm(x)

    h = unit(x, block.conv1, torch.nn.Sequential(block.bn1, torch.nn.ReLU()), stride=stride)
    norm = torch.nn.Sequential(block.bn2, torch.nn.ReLU())
    h = unit(h, block.conv2, norm, padding=dilation, dilation=dilation)
    h = unit(h, block.conv3, block.bn3)
    if block.downsample is not None:
        x = unit(x, block.downsample[0], block.downsample[1], stride=stride)
    return (h + x).relu()


@torch.no_grad()
def test_caffe_halves_the_map_in_the_first_convolution_of_a_stage():
    network = small_resnet()
    for norm in (m for m in network.modules() if isinstance(m, torch.nn.BatchNorm2d)):
        torch.nn.init.uniform_(norm.weight, 0.5, 1.5)  # timm starts the last of a block at zero
    _use_caffe_strides(network)
    image = torch.randn(1, 3, 64, 96)
    features = network(image)
    x = F.max_pool2d(network.bn1(network.conv1(image)).relu(), 3, 2, 1)
    plan = zip((1, 2, 3, 4), (1, 2, 1, 1), (1, 1, 2, 4), strict=True)
    for stage, stride, dilation in plan:
        for index, block in enumerate(getattr(network, f"layer{stage}")):
            first = stride if index == 0 else 1
            x = caffe_bottleneck(x, block, stride=first, dilation=dilation)
        torch.testing.assert_close(features[stage], x)


def test_resnet101_from_both_layouts(tmp_path, monkeypatch):
    """The same tensors under either name; Caffe's first convolution sees BGR."""
    create = timm.create_model
    monkeypatch.setattr(
        "timm.create_model",
        lambda name, **options: create(name, **options | {"layers": (2, 2, 2, 2)}),
    )
    keep = [f"layer{stage}.{block}." for stage in range(1, 5) for block in range(2)]
    torchvision = released.random_tensors(
        {
            name: shape
            for name, shape in released.resnet101_torchvision().items()
            if not name.startswith("layer") or name.startswith(tuple(keep))
        }
    )
    pairs = {}
    for (conv, norm), unit, _ in released._resnet101_layers():
        pairs[f"{conv}.weight"] = f"{unit}.conv.weight"
        pairs |= {f"{norm}.{field}": f"{unit}.bn.{field}" for field in released.NORM}
    caffe = {pairs[name]: t for name, t in torchvision.items() if name in pairs}
    paths = tmp_path / "torchvision.pth", tmp_path / "caffe.pth"
    for path, tensors in zip(paths, (torchvision, caffe), strict=True):
        torch.save(tensors, path)

    def build(name, path):
        config = BackboneConfig(name=name, output_stride=8, weights=str(path))
        return build_backbone(config, load=load_pretrained)

    ours = build("resnet101.tv_in1k", paths[0])
    other = build("resnet101.caffe", paths[1])
    assert torch.equal(ours.network.conv1.conv.weight, torchvision["conv1.weight"])
    assert torch.equal(other.network.conv1.conv.weight, torchvision["conv1.weight"].flip(1))
    state, other_state = ours.network.state_dict(), other.network.state_dict()
    del state["conv1.conv.weight"], other_state["conv1.conv.weight"]
    assert list(state) == list(other_state)
    assert all(torch.equal(state[name], other_state[name]) for name in state)
    assert other.fill == (123, 117, 104)
    white = other.normalize(torch.ones(1, 3, 1, 1)).flatten()
    torch.testing.assert_close(white, 255 - torch.tensor([122.675, 116.669, 104.008]))

    with pytest.raises(UserError, match=r"caffe\.pth: .* or the backbone 'resnet101\.caffe'"):
        build("resnet101", paths[1])
    with pytest.raises(UserError, match=r"torchvision\.pth: .* or the backbone 'resnet101'"):
        build("resnet101.caffe", paths[0])
    torch.save({k: v for k, v in torchvision.items() if k != "layer4.0.bn3.bias"}, paths[0])
    with pytest.raises(UserError, match=r"ResNet-101: missing: layer4\.0\.bn3\.bias$"):
        build("resnet101", paths[0])
    with pytest.raises(UserError, match=r"'resnet101\.caffe': timm has no weights of it"):
        build("resnet101.caffe", "timm")


def test_a_file_that_is_not_the_one_meant_is_refused(tmp_path):
    path = tmp_path / "imagenet.pth"
    path.write_bytes(b"")
    config = BackboneConfig(name="resnet38d", weights=str(path), sha256="0" * 64)
    with pytest.raises(UserError, match=rf"{path}: sha256 is e3b0c.*; expected 0000"):
        build_backbone(config, load=load_pretrained)


BYOB = "test_byobnet"


def shuffled_weights():
    """The state dict of a network with its classifier, in an order that means nothing."""
    torch.manual_seed(1)
    state = timm.create_model(BYOB).state_dict()
    order = np.random.default_rng(0).permutation(list(state))
    return {name: state[name].contiguous() for name in order}


def loaded_byobnet(path):
    config = BackboneConfig(name=BYOB, output_stride=16, weights=str(path))
    network = timm.create_model(BYOB, features_only=True, output_stride=16)
    load_pretrained(network, config)
    return network.state_dict()


@pytest.mark.parametrize("prefix", ["", "module.", "model.", "backbone.", "module.model."])
@pytest.mark.parametrize(
    ("ending", "save"), [(".pth", torch.save), (".safetensors", save_file)], ids=["pth", "safe"]
)
def test_weights_are_found_by_name_in_any_order(tmp_path, prefix, ending, save):
    """timm calls `stages.0` `stages_0` in a network that gives features."""
    state = shuffled_weights()
    path = tmp_path / f"model{ending}"
    save({prefix + name: tensor for name, tensor in state.items()}, path)
    loaded = loaded_byobnet(path)
    assert any(name.startswith("stages_0.0.") for name in loaded)
    for name, tensor in loaded.items():
        if not name.endswith("num_batches_tracked"):
            assert torch.equal(tensor, state[name.replace("stages_", "stages.")]), name


def test_weights_whose_names_fit_in_part_are_told_in_one_line(tmp_path):
    state = shuffled_weights()
    del state["stem.bn.bias"]
    state |= {"stages.0.9.x": torch.zeros(1), "stem.conv.weight": torch.zeros(2, 3)}
    path = tmp_path / "model.safetensors"
    save_file(state, path)
    with pytest.raises(UserError) as error:
        loaded_byobnet(path)
    assert str(error.value).startswith(
        f"{path}: does not fit backbone '{BYOB}': missing: stem.bn.bias; extra: stages.0.9.x; "
        "mis-shaped: stem.conv.weight is [2, 3] and should be ["
    )


def test_weights_of_a_deeper_network_are_refused():
    """Each tensor of the shallower one is there, with the right shape."""
    deeper = timm.create_model("test_resnet", layers=(2, 1, 1, 1)).state_dict()
    network = timm.create_model("test_resnet", features_only=True, layers=(1, 1, 1, 1))
    config = BackboneConfig(name="test_resnet")
    with pytest.raises(UserError, match=r"^a\.pth: .* 'test_resnet': extra: layer1\.1\.conv1\.we"):
        load_tensors(network, config, tensors=deeper, source="a.pth")
