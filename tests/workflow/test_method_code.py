"""What is left out of a method's digest is never called for it."""

import sys
from pathlib import Path

import numpy as np
import pytest
import torch

from tests.workflow.test_odd_images import read_config
from wsss_core.config.classifier import ClassifierTraining
from wsss_core.data.dataset import open_dataset
from wsss_core.data.weights import save_weights
from wsss_core.models.classifier import load_classifier
from wsss_core.stages.infer_cam import infer_cams
from wsss_core.stages.train_classifier import ClassifierSamples, build_classifier_training
from wsss_core.workflow.code_digest import PROJECT, closure
from wsss_core.workflow.method_code import SEAM, SMOOTHING_BRANCH, modules_not_run


def files_called(function):
    """Files of the project whose functions run in a call."""
    called = set()

    def note(frame, event, _argument):
        if event == "call" and frame.f_code.co_name not in ("<module>", "<lambda>"):
            called.add(frame.f_code.co_filename)

    sys.setprofile(note)
    try:
        function()
    finally:
        sys.setprofile(None)
    return {Path(name).relative_to(PROJECT) for name in called if name.startswith(str(PROJECT))}


@pytest.mark.parametrize("method", ["cam", "seam"])
def test_modules_that_are_left_out_are_not_run(method, tiny_dataset, tmp_path):
    experiment = read_config()
    dataset = open_dataset(tiny_dataset)
    config = ClassifierTraining(
        classifier=experiment.classifier, method=experiment.methods[method], canny=experiment.canny
    )

    def train_and_infer():
        model = build_classifier_training(config, len(dataset.class_names), init=None)
        samples = ClassifierSamples(
            dataset,
            config.classifier,
            fill=model.net.backbone.fill,
            boundary_dirs=[],
            map_radius=None,
            canny_dir=None,
        )
        sample = samples.sample(0, np.random.default_rng(0))
        losses = model({name: torch.stack([value] * 2) for name, value in sample.items()})
        sum(losses.values()).backward()
        metadata = {"network": "classifier", "class_names": list(dataset.class_names)}
        metadata["config"] = config.model_dump(mode="json")
        metadata["method"] = method
        save_weights(tmp_path / "weights.pt", model.net.state_dict(), metadata)
        net = load_classifier(tmp_path / "weights.pt", dataset.class_names)
        list(infer_cams(net, dataset, dataset.split("val"), config=experiment.cam))

    called = files_called(train_and_infer)
    assert Path("wsss_core/stages/train_classifier.py") in called
    assert called & set(modules_not_run(config.method)) == set()
    assert (SEAM[1] in called) == (method == "seam")


def test_the_branch_leaves_nothing_out():
    methods = read_config().methods
    assert modules_not_run(methods["sb"]) == ()
    assert modules_not_run(methods["seam"]) == SMOOTHING_BRANCH
    assert modules_not_run(methods["cam"]) == SEAM + SMOOTHING_BRANCH


def test_they_are_imported_or_the_list_would_be_stale():
    files = set(closure("workflow_scripts/train_classifier.py"))
    assert set(SEAM + SMOOTHING_BRANCH) <= files
