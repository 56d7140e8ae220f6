"""Segmentation of images by the trained network, at several scales and mirrored."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from wsss_core.config.segment import SegmentConfig
from wsss_core.config.segmenter import SegmenterConfig
from wsss_core.data.dataset import Dataset
from wsss_core.data.image_pyramid import ImagePyramid, first_argmax, image_pyramids
from wsss_core.data.weights import load_network_weights, rebuilding
from wsss_core.models.deeplab import DeepLab, build_deeplab
from wsss_core.models.precision import Precision, autocast
from wsss_core.ops.grid import even, pixels, resample
from wsss_core.pretrained.tensor_names import load_checked

# Logits are averaged, and probabilities stored, at a quarter of the image's size: finer than the
# network's own cells (8 pixels of an image enlarged by 1.75 are 4.6), and a 16th of the work and
# of the disk space.
PROB_STRIDE = 4


class Segmentation(NamedTuple):
    """The segmentation of one image.

    Attributes:
        image_id: Which image.
        mask: uint8 [H, W] class indices.
        prob: float32 [C, h, w], background first, sums to 1; h, w = H, W / PROB_STRIDE, rounded up.
    """

    image_id: str
    mask: NDArray[np.uint8]
    prob: NDArray[np.float32]


class TrainedSegmenter(NamedTuple):
    """A trained network, and what its weights file tells about it.

    Attributes:
        network: In evaluation mode, on the CPU.
        class_names: The foreground classes.
        config: Of its training.
    """

    network: DeepLab
    class_names: tuple[str, ...]
    config: SegmenterConfig


def load_segmenter(path: Path, class_names: Sequence[str] | None = None) -> TrainedSegmenter:
    """Rebuilds a trained network from its weights file alone.

    Args:
        path: Weights file of `train_segmenter`.
        class_names: The foreground classes it must have been trained on; None: any.

    Raises:
        UserError: The file holds another network, or one of other classes.
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
        network: In evaluation mode, on the device to compute on.
        dataset: Where the images are.
        image_ids: Which images.
        config: Scales and flip.
        precision: That the network computes in.
    """
    device = network.backbone.mean.device
    for pyramid in image_pyramids(
        dataset, image_ids, device=device, scales=config.scales, flip=config.flip
    ):
        yield segment_pyramid(network, pyramid, precision=precision)


def segment_pyramid(
    network: DeepLab, pyramid: ImagePyramid, *, precision: Precision = "float32"
) -> Segmentation:
    """Segments one image by a network in evaluation mode, on the device to compute on."""
    logits = average_logits(network, pyramid, precision=precision)
    return Segmentation(
        pyramid.image_id,
        mask=best_class(logits, pyramid.size),
        prob=logits.softmax(dim=0).cpu().numpy(),
    )


def average_logits(
    network: DeepLab, pyramid: ImagePyramid, *, precision: Precision = "float32"
) -> Tensor:
    """Averages one image's logits: float32 [C, h, w], see `average_logits_of_batch`."""
    return average_logits_of_batch(network, [pyramid], precision=precision)[0]


@torch.inference_mode()
def average_logits_of_batch(
    network: DeepLab, pyramids: Sequence[ImagePyramid], *, precision: Precision = "float32"
) -> Tensor:
    """Averages images' logits over their scales and mirror images (SEAM's codebase).

    Args:
        network: In evaluation mode, on the device to compute on.
        pyramids: B images of one size at each scale, alone or with their mirror images.
        precision: That the network computes in.

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
        # The mirror image is mirrored back only on the grid: cells that stick out of the image
        # do so on its right-hand side too.
        terms += [image, *(view.flip(-1) for view in mirrored)]
    return torch.stack(terms).mean(dim=0)


def best_class(logits: Tensor, size: tuple[int, int]) -> NDArray[np.uint8]:
    """Logits [C, h, w] -> uint8 [H, W], the class of each pixel after bilinear enlargement."""
    enlarged = resample(
        logits[None], even(size, (logits.shape[-2], logits.shape[-1])), pixels(size)
    )
    return first_argmax(enlarged[0])
