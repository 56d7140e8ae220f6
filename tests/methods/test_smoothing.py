"""Tests of which parameters the smoothness loss trains, depending on the smoothed CAM."""

import pytest
import torch
from pydantic import ValidationError

from tests.methods.test_kinds import losses_of, make_batch
from tests.methods.tiny_trainings import branch_config, seam_training


def training_of(smoothed_cam, **keys):
    branch = branch_config(smoothed_cam=smoothed_cam, score="normalized")
    return seam_training(branch, dropout=0.0, **keys).eval()


def smoothness(training):
    return losses_of(training, make_batch())["smoothness"]


def trained_parts(training):
    """First names of the network's parameters that the smoothness loss changes."""
    named = dict(training.net.named_parameters())
    named = {name: weight for name, weight in named.items() if weight.requires_grad}
    gradients = torch.autograd.grad(
        smoothness(training), list(named.values()), materialize_grads=True
    )
    pairs = zip(named, gradients, strict=True)
    return {name.split(".")[0] for name, gradient in pairs if gradient.any()}


def test_the_raw_cam_trains_the_classifier_and_the_refined_one_the_pcm_alone():
    assert trained_parts(training_of("raw")) == {"backbone", "classifier"}
    assert trained_parts(training_of("refined")) == {"pcm"}
    assert trained_parts(training_of("both")) == {"backbone", "classifier", "pcm"}


@pytest.mark.parametrize("background", [False, True])
def test_losses_of_both_cams_are_added(background):
    raw, refined, both = (
        smoothness(training_of(name, background=background)) for name in ("raw", "refined", "both")
    )
    assert raw > 0
    assert refined > 0
    torch.testing.assert_close(both, raw + refined)


@pytest.mark.parametrize("smoothed_cam", ["refined", "both"])
def test_refined_cams_have_no_sigmoid(smoothed_cam):
    with pytest.raises(ValidationError, match="score is 'sigmoid'; expected 'normalized'"):
        branch_config(smoothed_cam=smoothed_cam)
