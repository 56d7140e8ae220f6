"""Tests of the tables of importable weights: known totals, and that they fit our networks."""

import math

import pytest
import timm
import torch

from tests.pretrained import released_weights as released
from wsss_core.config.affinity import AffinityConfig
from wsss_core.methods.kinds import find_kind, training_config
from wsss_core.models.affinity_net import build_affinity_net
from wsss_core.models.resnet38d import ResNet38d
from wsss_core.pretrained import resnet38d, resnet101
from wsss_core.pretrained.affinity_net import to_affinity_net
from wsss_core.pretrained.classifier import to_classifier
from wsss_core.pretrained.tensor_names import tensor_shapes

BACKBONE = {"name": "resnet38d"}


def numel(table, *, dims=None):
    return sum(math.prod(s) for s in table.values() if dims is None or len(s) == dims)


def classifier(method, num_classes=20):
    config = {
        "classifier": {"backbone": BACKBONE},
        "method": {"kind": method, "epochs": 1},
    }
    with torch.device("meta"):
        return find_kind(method).build_network(training_config(config), num_classes, load=None)


def test_tables_sum_up_to_what_is_published():
    backbone = released.resnet38d_pth()
    assert round(numel(backbone, dims=4) / 1e6, 2) == 105.02
    heads = {k: v for k, v in released.seam().items() if k not in backbone}
    assert list(heads) == ["fc8.weight", "f8_3.weight", "f8_4.weight", "f9.weight"]
    assert numel(heads) == 287_296
    assert numel(released.sbnet_head()) == 468_111
    learnt = {k: v for k, v in released.resnet101_torchvision().items() if "running" not in k}
    assert numel(learnt) == 44_549_160


@pytest.mark.parametrize("table", [released.seam(), released.sbnet()])
def test_seam_and_sbnet_fit_both_classifiers(table):
    tensors = released.meta_tensors(table)
    for method in ("cam", "seam"):
        shapes = tensor_shapes(classifier(method).state_dict())
        assert tensor_shapes(to_classifier(tensors, shapes, source="x")) == shapes


def test_psa_fits_all_but_the_pcm():
    tensors = released.meta_tensors(released.psa_classifier())
    shapes = tensor_shapes(classifier("cam").state_dict())
    assert tensor_shapes(to_classifier(tensors, shapes, source="x")) == shapes
    of_seam = tensor_shapes(classifier("seam").state_dict())
    assert tensor_shapes(to_classifier(tensors, of_seam, source="x")) == shapes


def test_imagenet_weights_fit_resnet38d():
    with torch.device("meta"):
        shapes = tensor_shapes(ResNet38d().state_dict())
    params = released.meta_tensors(released.resnet38d_params())
    assert tensor_shapes(resnet38d.from_mxnet(params, shapes, source="x")) == shapes
    pth = released.meta_tensors(released.resnet38d_pth())
    assert tensor_shapes(resnet38d.from_torch(pth, shapes, source="x")) == shapes


def test_psa_affinity_fits_affinity_net():
    config = AffinityConfig.model_validate({"backbone": BACKBONE, "epochs": 1})
    with torch.device("meta"):
        shapes = tensor_shapes(build_affinity_net(config).state_dict())
    tensors = released.meta_tensors(released.psa_affinity())
    assert tensor_shapes(to_affinity_net(tensors, shapes, source="x")) == shapes


def test_both_layouts_fit_resnet101():
    with torch.device("meta"):
        network = timm.create_model("resnet101", features_only=True, output_stride=8)
    shapes = tensor_shapes(network.state_dict())
    torchvision = released.meta_tensors(released.resnet101_torchvision())
    assert tensor_shapes(resnet101.from_torchvision(torchvision, shapes, source="x")) == shapes
    caffe = released.resnet101_caffe()
    early = {name.replace("shortcut", "proj"): shape for name, shape in caffe.items()}
    head = {"fc.weight": (91, 2048), "fc.bias": (91,)}
    for table in (caffe, early, caffe | head):
        tensors = released.meta_tensors(table)
        assert tensor_shapes(resnet101.from_caffe(tensors, shapes, source="x")) == shapes
