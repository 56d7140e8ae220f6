"""Stage segment: segments images by the trained network, at several scales and mirrored."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from functools import partial
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from wsss_core.config.precision import Precision
from wsss_core.config.segment import SegmentConfig
from wsss_core.config.segmenter import SegmenterConfig
from wsss_core.data.dataset import Dataset
from wsss_core.data.image_pyramid import ImagePyramid, first_argmax, image_pyramids
from wsss_core.data.weights import load_network_weights, rebuilding
from wsss_core.models.deeplab import DeepLab, build_deeplab
from wsss_core.models.precision import autocast
from wsss_core.ops.grid import even, pixels, resample
from wsss_core.pretrained.tensor_names import load_checked
from wsss_core.runtime.overlapped_map import overlapped_map

# Logits are averaged and probabilities are stored at a quarter of the image's size. This is finer
# than the network's cells: 8 pixels of an image enlarged by 1.75 are 4.6 pixels of the image. It
# needs a 16th of the work and of the disk space.
PROB_STRIDE = 4


class Segmentation(NamedTuple):
    """The segmentation of one image.

    Attributes:
        image_id: The image.
        mask: uint8 [H, W] class indices.
        prob: float32 [C, h, w], background first; sums to 1. h and w are H / PROB_STRIDE and
            W / PROB_STRIDE, rounded up.
    """

    image_id: str
    mask: NDArray[np.uint8]
    prob: NDArray[np.float32]


class TrainedSegmenter(NamedTuple):
    """A trained network with data from its weights file.

    Attributes:
        network: The network in evaluation mode, on the CPU.
        class_names: The foreground classes.
        config: Configuration of its training.
    """

    network: DeepLab
    class_names: tuple[str, ...]
    config: SegmenterConfig


def load_segmenter(path: Path, class_names: Sequence[str] | None = None) -> TrainedSegmenter:
    """Rebuilds a trained network from only its weights file.

    Args:
        path: Weights file of `train_segmenter`.
        class_names: The foreground classes that it must have been trained on; None: any.

    Raises:
        UserError: The file holds another network, or a network for other classes.
    """
    weights = load_network_weights(path, network="deeplab", class_names=class_names)
    trained_on = tuple(weights.metadata["class_names"])
    with rebuilding(path):
        config = SegmenterConfig.model_validate(weights.metadata["config"])
        network = build_deeplab(config, num_classes=1 + len(trained_on))
    load_checked(network, weights.state_dict, what=f"{path}: does not fit its own network")
    return TrainedSegmenter(network.eval(), trained_on, config)


def segment(
    network: DeepLab,
    dataset: Dataset,
    image_ids: Sequence[str],
    *,
    config: SegmentConfig,
    precision: Precision = "float32",
) -> Iterator[Segmentation]:
    """Segments images one after the other.

    Args:
        network: The network in evaluation mode, on the device that computes.
        dataset: The images.
        image_ids: The images to segment.
        config: Scales and flip.
        precision: The precision in which the network computes.
    """
    device = network.backbone.mean.device
    pyramids = image_pyramids(
        dataset, image_ids, device=device, scales=config.scales, flip=config.flip
    )
    return overlapped_map(partial(segment_pyramid, network, precision=precision), pyramids, device)


def segment_pyramid(
    network: DeepLab, pyramid: ImagePyramid, *, precision: Precision = "float32"
) -> Segmentation:
    """Segments one image by a network in evaluation mode, on the device that computes."""
    logits = average_logits(network, pyramid, precision=precision)
    return Segmentation(
        pyramid.image_id,
        mask=best_class(logits, pyramid.size),
        prob=logits.softmax(dim=0).cpu().numpy(),
    )


def average_logits(
    network: DeepLab, pyramid: ImagePyramid, *, precision: Precision = "float32"
) -> Tensor:
    """Averages the logits of one image: float32 [C, h, w]; see `average_logits_of_batch`."""
    return average_logits_of_batch(network, [pyramid], precision=precision)[0]


@torch.inference_mode()
def average_logits_of_batch(
    network: DeepLab, pyramids: Sequence[ImagePyramid], *, precision: Precision = "float32"
) -> Tensor:
    """Averages the logits of images over scales and mirror images (SEAM's codebase).

    Args:
        network: The network in evaluation mode, on the device that computes.
        pyramids: B images with equal sizes at each scale, all with or all without mirror images.
        precision: The precision in which the network computes.

    Returns:
        float32 [B, C, H / PROB_STRIDE, W / PROB_STRIDE], sizes rounded up.
    """
    device = network.backbone.mean.device
    height, width = pyramids[0].size
    grid = (math.ceil(height / PROB_STRIDE), math.ceil(width / PROB_STRIDE))
    terms = []
    for views_of_each in zip(*(pyramid.scaled for pyramid in pyramids), strict=True):
        views = torch.cat(views_of_each)
        with autocast(precision, device):
            logits = network(views.to(device, non_blocking=True))
        seen = views.shape[-2], views.shape[-1]
        logits = network.backbone.geometry.spread(logits, seen, grid)
        image, *mirrored = logits.view(len(pyramids), -1, *logits.shape[1:]).unbind(1)
        # Mirror images are mirrored back only here, on the common grid. In the network's own output
        # the cells beyond the image's edge are on the right-hand side of mirror images, too.
        terms += [image, *(view.flip(-1) for view in mirrored)]
    return torch.stack(terms).mean(dim=0)


def best_class(logits: Tensor, size: tuple[int, int]) -> NDArray[np.uint8]:
    """Finds each pixel's class after bilinear enlargement: logits [C, h, w] -> uint8 [H, W]."""
    enlarged = resample(
        logits[None], even(size, (logits.shape[-2], logits.shape[-1])), pixels(size)
    )
    return first_argmax(enlarged[0])
