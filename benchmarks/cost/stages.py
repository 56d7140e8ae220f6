"""What each stage of an experiment costs on PASCAL VOC 2012."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any, TypeVar

import torch
from torch import nn

from benchmarks.cost.flops import Cost, counted
from wsss_core.config.backbone import BackboneConfig
from wsss_core.config.classifier import ClassifierTraining
from wsss_core.config.experiment import Experiment
from wsss_core.models.affinity_net import build_affinity_net
from wsss_core.models.deeplab import build_deeplab
from wsss_core.ops.affinity import pair_offsets
from wsss_core.stages.train_affinity import AffinityTraining
from wsss_core.stages.train_classifier import CamTraining, SeamTraining, build_classifier_training
from wsss_core.stages.train_segmenter import SegmenterTraining

TRAIN_AUG = 10_582
ALL = TRAIN_AUG + 1_449  # with val
NUM_CLASSES = 20
PRESENT = 2  # classes of an image, 1.5 on average
IMAGE = (375, 500)
# Core-seconds of a dense CRF with 10 iterations for three labels, `make bench` (crf): of both
# backgrounds together, and of one.
SEEDS_CORE_SECONDS, CRF_CORE_SECONDS = 0.52, 0.28
# Bytes of a weight that learns (itself, its gradient, its momentum) and of one that does not.
LEARNING_BYTES, FIXED_BYTES = 12, 4
KEPT_BYTES = 2  # of a number kept for the backward pass, in bf16

Network = TypeVar("Network", bound=nn.Module)


@dataclass(frozen=True)
class StageCost:
    """One stage of one method.

    Attributes:
        stage: Its rule.
        method: The method, or "" where all cost the same.
        images: That it goes through, each epoch counted.
        flops: Of all of them.
        core_seconds: Work that is done on the CPU in any case.
        network_bytes: Weights, and what belongs to them.
        image_bytes: Of one image in a batch.
        batch_size: Images at a time, over all devices.
    """

    stage: str
    method: str
    images: int
    flops: float = 0.0
    core_seconds: float = 0.0
    network_bytes: float = 0.0
    image_bytes: float = 0.0
    batch_size: int = 1


def stage_costs(experiment: Experiment) -> Iterator[StageCost]:
    """Yields the stages of each run, with one seed, in the order they run in."""
    for run in experiment.runs:
        yield _train_classifier(experiment, run.method)
        yield _infer_cam(experiment, run.method)
        if run.until == "cam":
            continue
        yield StageCost(
            "crf_seeds", run.method, TRAIN_AUG, core_seconds=TRAIN_AUG * SEEDS_CORE_SECONDS
        )
        yield from _affinity(experiment, run.method)
        if run.until == "random_walk":
            continue
        yield from _segmenter(experiment, run.method)


def _train_classifier(experiment: Experiment, method: str) -> StageCost:
    config = experiment.methods[method]
    training = _classifier(experiment, method)
    crop = experiment.classifier.crop_size
    batch = {
        "image": torch.rand(1, 3, crop, crop, device="meta"),
        "label": torch.ones(1, NUM_CLASSES, device="meta"),
        "mask": torch.zeros(1, crop, crop, dtype=torch.uint8, device="meta"),
        "edges": torch.zeros(1, 1, crop, crop, device="meta"),
    }
    with counted(training) as cost:
        training(batch)
    batch_size = experiment.classifier.batch_size
    return _training("train_classifier", method, training, cost, config.epochs, batch_size)


def _infer_cam(experiment: Experiment, method: str) -> StageCost:
    net = _classifier(experiment, method).net.eval()
    cost = _views(net, experiment.cam.scales, flip=experiment.cam.flip)
    return _inference("infer_cam", method, ALL, net, cost)


def _classifier(experiment: Experiment, method: str) -> CamTraining | SeamTraining:
    shared = experiment.classifier.model_copy(
        update={"backbone": _without_weights(experiment.classifier.backbone)}
    )
    chosen = experiment.methods[method].model_copy(update={"init": "imagenet"})
    config = ClassifierTraining(classifier=shared, method=chosen, canny=experiment.canny)
    return _on_meta(build_classifier_training(config, NUM_CLASSES, init=None))


def _affinity(experiment: Experiment, method: str) -> Iterator[StageCost]:
    config = experiment.affinity
    config = config.model_copy(update={"backbone": _without_weights(config.backbone)})
    net = _on_meta(build_affinity_net(config))
    cells = -(-config.crop_size // net.stride)
    batch = {
        "image": torch.rand(1, 3, config.crop_size, config.crop_size, device="meta"),
        "label": torch.zeros(1, cells, cells, dtype=torch.uint8, device="meta"),
    }
    training = AffinityTraining(net)
    with counted(training) as cost:
        training(batch)
    yield _training("train_affinity", method, training, cost, config.epochs, config.batch_size)
    inference = _inference("random_walk", method, ALL, net, _views(net.eval(), [1.0], flip=False))
    grid = -(-IMAGE[0] // net.stride) * -(-IMAGE[1] // net.stride)
    shifts = 1 + 2 * len(pair_offsets(config.radius))
    walk = 2 * 2**experiment.random_walk.log2_steps * shifts * grid * (1 + PRESENT)
    yield replace(inference, flops=inference.flops + ALL * walk)


def _segmenter(experiment: Experiment, method: str) -> Iterator[StageCost]:
    config = experiment.segmenter
    config = config.model_copy(update={"backbone": _without_weights(config.backbone)})
    network = _on_meta(build_deeplab(config, num_classes=1 + NUM_CLASSES))
    crop = config.crop_size
    batch = {
        "image": torch.rand(1, 3, crop, crop, device="meta"),
        "mask": torch.zeros(1, crop, crop, dtype=torch.uint8, device="meta"),
    }
    training = SegmenterTraining(network)
    with counted(training) as cost:
        training(batch)
    yield _training("train_segmenter", method, training, cost, config.epochs, config.batch_size)
    segment = experiment.segment
    cost = _views(network.eval(), segment.scales, flip=segment.flip)
    yield _inference("segment", method, ALL, network, cost)
    if segment.crf is not None:
        seconds = ALL * CRF_CORE_SECONDS * segment.crf.iterations / 10
        yield StageCost("segment_crf", method, ALL, core_seconds=seconds)


def _without_weights(backbone: BackboneConfig) -> BackboneConfig:
    return backbone.model_copy(update={"weights": None, "sha256": None})


def _on_meta(network: Network) -> Network:
    return network.to("meta")


@torch.no_grad()
def _views(network: nn.Module, scales: Sequence[float], *, flip: bool) -> Cost:
    """The forward passes of one image at each scale, alone or with its mirror image."""
    with counted(network) as cost:
        for scale in scales:
            height, width = (round(scale * side) for side in IMAGE)
            network(torch.rand(2 if flip else 1, 3, height, width, device="meta"))
    return cost


def _training(
    stage: str, method: str, training: nn.Module, cost: Cost, epochs: int, batch_size: int
) -> StageCost:
    images = epochs * (TRAIN_AUG // batch_size) * batch_size
    return StageCost(
        stage,
        method,
        images,
        flops=images * cost.training,
        network_bytes=_weight_bytes(training, LEARNING_BYTES),
        image_bytes=cost.kept * KEPT_BYTES,
        batch_size=batch_size,
    )


def _inference(stage: str, method: str, images: int, network: nn.Module, cost: Cost) -> StageCost:
    return StageCost(
        stage,
        method,
        images,
        flops=images * cost.forward,
        network_bytes=_weight_bytes(network, FIXED_BYTES),
    )


def _weight_bytes(network: nn.Module, learning_bytes: int) -> int:
    weights: Any = [*network.parameters(), *network.buffers()]
    return sum(w.numel() * (learning_bytes if w.requires_grad else FIXED_BYTES) for w in weights)
