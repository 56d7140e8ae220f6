"""Tests of segmenters that start from the method's classifier or from another segmenter."""

import pytest
import timm
import torch
from torchvision.models.resnet import Bottleneck, ResNet
from torchvision.models.segmentation.deeplabv3 import DeepLabHead

from wsss_core.config.segmenter import SegmenterConfig
from wsss_core.data.weights import save_weights
from wsss_core.methods import cam
from wsss_core.methods.kinds import training_config
from wsss_core.runtime.errors import UserError
from wsss_core.stages.train_segmenter import start_segmenter

BACKBONE = {"name": "tf_efficientnet_lite0", "output_stride": 16}


def start(path, init, **changes):
    content = {"backbone": BACKBONE, "rates": [1], "epochs": 1, "init": init} | changes
    return start_segmenter(SegmenterConfig.model_validate(content), num_classes=3, init=path)


@pytest.fixture
def classifier(tmp_path):
    """A classifier at stride 8, in its file."""
    shared = {"backbone": BACKBONE | {"output_stride": 8}}
    config = {"classifier": shared, "method": {"kind": "cam", "epochs": 1}}
    torch.manual_seed(0)
    net = cam.build_network(training_config(config), 2)
    path = tmp_path / "classifier.pt"
    save_weights(path, net.state_dict(), {})
    return net, path


def test_the_classifiers_backbone_is_taken_at_another_stride(classifier):
    net, path = classifier
    network = start(path, "classifier")
    assert network.backbone.geometry.strides[-1] == 16
    theirs = net.backbone.state_dict()
    ours = network.backbone.state_dict()
    assert ours.keys() == theirs.keys()
    assert all(torch.equal(ours[name], theirs[name]) for name in ours)
    assert sum(branch.bias.abs().sum() for branch in network.head.branches) == 0


def test_a_classifier_on_another_backbone_is_refused(classifier):
    _, path = classifier
    other = {"name": "test_byobnet", "output_stride": 8}
    with pytest.raises(UserError, match=r"r\.pt: its backbone is not the segmenter's: m"):
        start(path, "classifier", backbone=other)


def test_our_own_segmenter_is_taken_as_it_is(tmp_path):
    torch.manual_seed(1)
    path = tmp_path / "ours.pt"
    first = start(None, "imagenet")
    save_weights(path, first.state_dict(), {})
    init = {"weights": str(path), "sha256": None}
    again = start(path, init).state_dict()
    assert all(torch.equal(again[name], tensor) for name, tensor in first.state_dict().items())
    with pytest.raises(UserError, match=r"fit the segmenter: missing: head\.branches\.1\.weight"):
        start(path, init, rates=[1, 2])
    with pytest.raises(UserError, match=r"ours\.pt: sha256 is \w+; expected 0+$"):
        start(path, init | {"sha256": "0" * 64})


@pytest.fixture
def torchvisions(tmp_path, monkeypatch):
    """A short ResNet in place of ResNet-101, torchvision's DeepLabv3 on it, and its file."""
    create, layers = timm.create_model, (1, 2, 2, 2)
    monkeypatch.setattr(
        "timm.create_model", lambda name, **options: create(name, **options | {"layers": layers})
    )
    torch.manual_seed(2)
    dilated = [False, True, True]
    resnet = ResNet(Bottleneck, list(layers), replace_stride_with_dilation=dilated).eval()
    head = DeepLabHead(2048, 21, atrous_rates=(2, 3)).eval()
    for norm in (m for m in (*resnet.modules(), *head.modules()) if hasattr(m, "running_var")):
        norm.running_var.uniform_(0.5, 1.5)
        norm.running_mean.normal_(std=0.1)
    content = {
        f"{prefix}.{name}": tensor
        for prefix, module in (("backbone", resnet), ("classifier", head), ("aux_classifier", head))
        for name, tensor in module.state_dict().items()
        if not name.startswith("fc.")
    }
    path = tmp_path / "deeplabv3.pth"
    torch.save(content, path)
    return resnet, head, path


DEEPLABV3 = {
    "backbone": {"name": "resnet101", "output_stride": 8, "weights": "timm"},
    "head": "deeplabv3",
    "rates": [2, 3],
    "extra_supervision": "COCO masks",
}


@torch.no_grad()
def test_torchvisions_file_gives_torchvisions_network(torchvisions):
    resnet, head, path = torchvisions
    network = start(path, {"weights": str(path)}, **DEEPLABV3).eval()
    assert network.head[4].weight.shape == (3, 256, 1, 1)
    network.head[4] = head[4]  # otherwise the classes start anew
    network.backbone.shift = 0
    image = torch.rand(1, 3, 64, 96)
    x = resnet.maxpool(resnet.bn1(resnet.conv1(network.backbone.normalize(image))).relu())
    theirs = head(resnet.layer4(resnet.layer3(resnet.layer2(resnet.layer1(x)))))
    error = (network(image) - theirs).abs().max()
    assert error < 1e-4 * theirs.abs().max()


def test_coco_is_torchvisions_download(torchvisions, monkeypatch):
    _, head, path = torchvisions
    monkeypatch.setattr(
        "wsss_core.stages.train_segmenter.read_coco",
        lambda: torch.load(path, weights_only=True),
    )
    network = start(None, "coco", **DEEPLABV3)
    assert torch.equal(network.head[1].weight, head[1].weight)


def test_masks_are_not_learnt_from_unsaid(torchvisions):
    path = torchvisions[-1]
    init = {"weights": str(path)}
    expected = r"v3\.pth: a DeepLabv3, trained on masks; expected head .* that says so$"
    with pytest.raises(UserError, match=expected):
        start(path, init, **DEEPLABV3 | {"extra_supervision": None})
    with pytest.raises(UserError, match=expected):
        start(path, init, **DEEPLABV3 | {"head": "aspp"})
    with pytest.raises(
        UserError, match=r"fit the head 'deeplabv3': missing: 0\.convs\.3\.0\.weight"
    ):
        start(path, init, **DEEPLABV3 | {"rates": [2, 3, 4]})


def test_a_segmenter_passes_on_what_it_has_learnt_from(tmp_path):
    path, init = tmp_path / "ours.pt", {"weights": str(tmp_path / "ours.pt")}
    config = {"config": {"extra_supervision": "COCO masks"}}
    save_weights(path, start(None, "imagenet").state_dict(), config)
    with pytest.raises(UserError, match=r"ours\.pt was trained on COCO masks; expected extra_s"):
        start(path, init)
    start(path, init, extra_supervision="masks of COCO")


def test_a_file_of_other_classes_than_imagenets_has_learnt_from_something_else(
    tmp_path, torchvisions
):
    resnet, _, _ = torchvisions
    path = tmp_path / "resnet101-coco.pth"
    classes = {"fc.weight": torch.zeros(91, 2048), "fc.bias": torch.zeros(91)}
    torch.save(resnet.state_dict() | classes, path)
    backbone = {"name": "resnet101", "output_stride": 8, "weights": str(path)}
    with pytest.raises(UserError, match=r"-coco\.pth: weights of a network with 91 classes; exp"):
        start(None, "imagenet", backbone=backbone)
    start(None, "imagenet", backbone=backbone, extra_supervision="COCO masks")
