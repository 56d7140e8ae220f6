"""Segmenters that start from a trained network: the method's classifier, or a segmenter of ours."""

import pytest
import torch

from wsss_core.config.classifier import ClassifierTraining
from wsss_core.config.segmenter import SegmenterConfig
from wsss_core.errors import UserError
from wsss_core.models.classifier import build_classifier
from wsss_core.stages.segmenter import start_segmenter
from wsss_core.weights import save_weights

BACKBONE = {"name": "tf_efficientnet_lite0", "output_stride": 16}


def start(path, init, **changes):
    content = {"backbone": BACKBONE, "rates": [1], "epochs": 1, "init": init} | changes
    return start_segmenter(SegmenterConfig.model_validate(content), num_classes=3, init=path)


@pytest.fixture
def classifier(tmp_path):
    """A classifier at stride 8, in its file."""
    shared = {"backbone": BACKBONE | {"output_stride": 8}, "seam": {"pcm_features": [3, 4]}}
    config = {"classifier": shared, "method": {"classifier": "seam", "epochs": 1}}
    torch.manual_seed(0)
    net = build_classifier(ClassifierTraining.model_validate(config), 2)
    path = tmp_path / "classifier.pt"
    save_weights(path, net.state_dict(), {})
    return net, path


def test_the_classifiers_backbone_is_taken_at_another_stride(classifier):
    net, path = classifier
    network = start(path, "classifier")
    assert network.stride == 16
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
