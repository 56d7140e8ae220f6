"""Estimates the cost of each stage of an experiment on PASCAL VOC 2012."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import cache
from typing import Any, TypeVar, cast

import torch
from torch import Tensor, nn

from benchmarks.cost.flops import counted
from wsss_core.config.affinity import AffinityConfig
from wsss_core.config.cam import CamConfig
from wsss_core.config.classifier import ClassifierConfig, ClassifierTraining
from wsss_core.config.experiment import Experiment, RunConfig, training_sections
from wsss_core.config.random_walk import RandomWalkConfig
from wsss_core.config.segment import SegmentConfig
from wsss_core.config.segmenter import SegmenterConfig
from wsss_core.methods.kinds import training_config
from wsss_core.models.affinity_net import build_affinity_net
from wsss_core.models.deeplab import build_deeplab
from wsss_core.ops.affinity import pair_offsets
from wsss_core.stages.train_affinity import AffinityTraining
from wsss_core.stages.train_classifier import start_classifier
from wsss_core.stages.train_segmenter import SegmenterTraining

TRAIN_AUG = 10_582
ALL = TRAIN_AUG + 1_449  # including val
NUM_CLASSES = 20
PRESENT = 2  # present classes per image, rounded up from an average of 1.5
IMAGE = (375, 500)
# Core-seconds of a dense CRF with 10 iterations for three labels, from `make bench` (crf): for both
# backgrounds together, and for one.
SEEDS_CORE_SECONDS, CRF_CORE_SECONDS = 0.52, 0.28
# Bytes per trained weight (value, gradient, momentum), and per fixed weight.
LEARNING_BYTES, FIXED_BYTES = 12, 4
KEPT_BYTES = 2  # bytes per value that is kept for the backward pass, in bf16
# The cost of a smoothing branch does not depend on these values, because no form of the loss has
# products. torch supports this form on its device "meta".
SMOOTHING_OF_EQUAL_COST = {
    "boundaries_from": "any",
    "boundary_loss": "logits",
    "lambda_boundary": 1.0,
    "lambda_smoothness": 1.0,
}

ELEMENTWISE = (nn.BatchNorm2d, nn.ReLU, nn.ReLU6, nn.SiLU, nn.Hardswish)

Network = TypeVar("Network", bound=nn.Module)
Section = TypeVar("Section", ClassifierConfig, AffinityConfig, SegmenterConfig)


@dataclass(frozen=True)
class StageCost:
    """One stage of one method.

    Attributes:
        stage: Name of the rule.
        images: Number of processed images, over all epochs.
        flops: FLOPs for all images.
        core_seconds: Work that always runs on the CPU.
        network_bytes: Memory of weights, gradients and momentum.
        image_bytes: Memory per image in a batch.
        batch_size: Batch size, over all devices.
        method: The method; "" for a cost that several methods share.
    """

    stage: str
    images: int
    flops: float = 0.0
    core_seconds: float = 0.0
    network_bytes: float = 0.0
    image_bytes: float = 0.0
    batch_size: int = 1
    method: str = ""


@dataclass(frozen=True)
class Step:
    """The cost of a training step for one image.

    Attributes:
        flops: FLOPs of the forward and backward pass.
        kept: Number of values that are kept for the backward pass.
        network_bytes: Memory of weights, gradients and momentum.
    """

    flops: int
    kept: int
    network_bytes: int


def stage_costs(experiment: Experiment) -> Iterator[StageCost]:
    """Yields the costs of each run's stages for one seed, in their order.

    Equal configs are computed only once, since the methods of the paper's tables differ little.
    """
    for run in experiment.runs:
        for cost in _stages(experiment, run):
            yield replace(cost, method=run.method)


def _stages(experiment: Experiment, run: RunConfig) -> Iterator[StageCost]:
    step = _classifier_step(_classifier_config(experiment, run.method))
    epochs = experiment.methods[run.method].epochs
    yield _training("train_classifier", step, epochs, experiment.classifier.batch_size)
    yield _infer_cam(_classifier_config(experiment, run.method), experiment.cam)
    if run.until == "cam":
        return
    yield StageCost("crf_seeds", TRAIN_AUG, core_seconds=TRAIN_AUG * SEEDS_CORE_SECONDS)
    yield from _affinity(experiment.affinity, experiment.random_walk)
    if run.until == "random_walk":
        return
    yield from _segmenter(experiment.segmenter, experiment.segment)


def _classifier_config(experiment: Experiment, method: str) -> ClassifierTraining:
    """Returns a config with only the values that affect the cost, as key of the caches."""
    sections = training_sections(experiment, method)
    sections["method"] |= {"init": "imagenet", "epochs": 1, "schedule_epochs": None}
    if "smoothing" in sections["method"]:
        sections["method"]["smoothing"] |= SMOOTHING_OF_EQUAL_COST
    sections["canny"]["input"] = "rgb"  # the edges of other inputs cost the same
    config = training_config(sections)
    return config.model_copy(update={"classifier": _without_weights(config.classifier)})


@cache
def _classifier_step(config: ClassifierTraining) -> Step:
    crop = config.classifier.crop_size
    return _step(
        _classifier(config),
        image=torch.rand(1, 3, crop, crop, device="meta"),
        label=torch.ones(1, NUM_CLASSES, device="meta"),
        present=torch.zeros(PRESENT, 2, dtype=torch.int64, device="meta"),
        mask=torch.zeros(1, crop, crop, dtype=torch.uint8, device="meta"),
        boundary=torch.zeros(1, 1 + NUM_CLASSES, crop, crop, device="meta"),
        edges=torch.zeros(1, 1, crop, crop, device="meta"),
    )


@cache
def _infer_cam(config: ClassifierTraining, cam: CamConfig) -> StageCost:
    return _inference("infer_cam", _classifier(config).net, cam.scales, flip=cam.flip)


@cache
def _classifier(config: ClassifierTraining) -> Any:
    return _on_meta(lambda: cast(nn.Module, start_classifier(config, NUM_CLASSES)))


@cache
def _affinity(config: AffinityConfig, random_walk: RandomWalkConfig) -> tuple[StageCost, ...]:
    net = _on_meta(lambda: build_affinity_net(_without_weights(config)))
    crop, cells = config.crop_size, -(-config.crop_size // net.stride)
    step = _step(
        AffinityTraining(net),
        image=torch.rand(1, 3, crop, crop, device="meta"),
        label=torch.zeros(1, cells, cells, dtype=torch.uint8, device="meta"),
    )
    inference = _inference("random_walk", net, [1.0], flip=False)
    grid = -(-IMAGE[0] // net.stride) * -(-IMAGE[1] // net.stride)
    shifts = 1 + 2 * len(pair_offsets(config.radius))
    walk = 2 * 2**random_walk.log2_steps * shifts * grid * (1 + PRESENT)
    return (
        _training("train_affinity", step, config.epochs, config.batch_size),
        replace(inference, flops=inference.flops + ALL * walk),
    )


@cache
def _segmenter(config: SegmenterConfig, segment: SegmentConfig) -> tuple[StageCost, ...]:
    chosen = _without_weights(config)
    network = _on_meta(lambda: build_deeplab(chosen, num_classes=1 + NUM_CLASSES))
    crop = config.crop_size
    step = _step(
        SegmenterTraining(network),
        image=torch.rand(1, 3, crop, crop, device="meta"),
        mask=torch.zeros(1, crop, crop, dtype=torch.uint8, device="meta"),
    )
    costs = (
        _training("train_segmenter", step, config.epochs, config.batch_size),
        _inference("segment", network, segment.scales, flip=segment.flip),
    )
    if segment.crf is None:
        return costs
    seconds = ALL * CRF_CORE_SECONDS * segment.crf.iterations / 10
    return (*costs, StageCost("segment_crf", ALL, core_seconds=seconds))


def _on_meta(build: Callable[[], Network]) -> Network:
    """Builds a network on the device "meta", which has shapes but no numbers.

    Layers that keep the shape and have no products are replaced by the identity. Otherwise they
    would take most of the time on this device. Our BatchNorms are folded into convolutions anyway.
    """
    with torch.device("meta"):
        network = build()
    for module in network.modules():
        if isinstance(module, ELEMENTWISE):
            module.forward = nn.Identity().forward  # type: ignore[method-assign]
    return network


def _without_weights(config: Section) -> Section:
    """Removes the weights from a section with a backbone, since only shapes matter."""
    backbone = config.backbone.model_copy(update={"weights": None, "sha256": None})
    return config.model_copy(update={"backbone": backbone})


def _step(training: nn.Module, **batch: Tensor) -> Step:
    """Counts a training step for one image."""
    with counted(training) as cost:
        training(batch)
    return Step(cost.training, cost.kept, _weight_bytes(training, LEARNING_BYTES))


def _training(stage: str, step: Step, epochs: int, batch_size: int) -> StageCost:
    images = epochs * (TRAIN_AUG // batch_size) * batch_size
    return StageCost(
        stage,
        images,
        flops=images * step.flops,
        network_bytes=step.network_bytes,
        image_bytes=step.kept * KEPT_BYTES,
        batch_size=batch_size,
    )


@torch.no_grad()
def _inference(stage: str, network: nn.Module, scales: Sequence[float], *, flip: bool) -> StageCost:
    """Counts the passes of one image at each scale, with or without its mirror image."""
    network.eval()
    with counted(network) as cost:
        for scale in scales:
            height, width = (round(scale * side) for side in IMAGE)
            network(torch.rand(2 if flip else 1, 3, height, width, device="meta"))
    network_bytes = _weight_bytes(network, FIXED_BYTES)
    return StageCost(stage, ALL, flops=ALL * cost.forward, network_bytes=network_bytes)


def _weight_bytes(network: nn.Module, learning_bytes: int) -> int:
    weights: Any = [*network.parameters(), *network.buffers()]
    return sum(w.numel() * (learning_bytes if w.requires_grad else FIXED_BYTES) for w in weights)
