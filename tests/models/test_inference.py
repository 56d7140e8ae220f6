"""Tests of what is done to a trained network before inference."""

import pytest
import torch
from torch import nn

from wsss_core.models.folding import FixedConv2d, FoldedConv2d
from wsss_core.models.inference import start_inference

CPU = torch.device("cpu")


@pytest.fixture(autouse=True)
def _as_before():
    matmul, convolutions = torch.get_float32_matmul_precision(), torch.backends.cudnn.allow_tf32
    yield
    torch.set_float32_matmul_precision(matmul)
    torch.backends.cudnn.allow_tf32 = convolutions


@pytest.mark.parametrize("precision", ["float32", "bfloat16"])
def test_float32_is_that_on_gpus_too(precision):
    """Not TF32, whose products have 10 bits."""
    torch.set_float32_matmul_precision("high")
    torch.backends.cudnn.allow_tf32 = True
    assert start_inference(nn.Identity(), precision, CPU) == precision
    assert torch.get_float32_matmul_precision() == "highest"
    assert not torch.backends.cudnn.allow_tf32


@pytest.mark.parametrize("precision", ["float32", "bfloat16"])
def test_folded_weights_are_fixed_in_the_precision(precision):
    network = nn.Sequential(FoldedConv2d(nn.Conv2d(1, 1, 1), nn.BatchNorm2d(1)))
    start_inference(network.eval(), precision, CPU)
    assert isinstance(network[0], FixedConv2d)
    assert network[0].weight.dtype == getattr(torch, precision)
