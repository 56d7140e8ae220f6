"""Stage random_walk: pseudo labels from CAMs, spread along learned affinities."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from torch import Tensor

from wsss_core.config.affinity import AffinityConfig
from wsss_core.config.precision import Precision
from wsss_core.config.random_walk import RandomWalkConfig
from wsss_core.data.dataset import Dataset
from wsss_core.data.image_pyramid import ImagePyramid, first_argmax, image_pyramids
from wsss_core.data.score_maps import ScoreReader, ScoreRecord
from wsss_core.data.weights import load_network_weights, rebuilding
from wsss_core.models.affinity_net import AffinityNet, build_affinity_net
from wsss_core.models.precision import autocast
from wsss_core.ops.affinity import (
    fitting_radius,
    pair_offsets,
    pairwise_affinity,
    restrict_sources,
)
from wsss_core.ops.grid import pixels, pool, resample
from wsss_core.ops.random_walk import random_walk
from wsss_core.pretrained.tensor_names import load_checked
from wsss_core.runtime.overlapped_map import overlapped_map


def load_affinity_net(path: Path, class_names: Sequence[str]) -> AffinityNet:
    """Rebuilds a trained network from only its weights file.

    Args:
        path: Weights file of `train_affinity`.
        class_names: The classes that the network must have been trained on.

    Raises:
        UserError: The file holds another network, or a network for other classes.
    """
    weights = load_network_weights(path, network="affinity", class_names=class_names)
    with rebuilding(path):
        net = build_affinity_net(AffinityConfig.model_validate(weights.metadata["config"]))
    load_checked(net, weights.state_dict, what=f"{path}: does not fit its own network")
    return net.eval()


def pseudo_labels(
    net: AffinityNet,
    dataset: Dataset,
    cams: ScoreReader,
    *,
    config: RandomWalkConfig,
    precision: Precision = "float32",
) -> Iterator[tuple[str, NDArray[np.uint8]]]:
    """Makes the pseudo labels of one shard.

    Args:
        net: The network in evaluation mode, on the device that computes.
        dataset: The images.
        cams: Scores of kind 'cam'.
        config: Background, alpha, beta and length of the walk.
        precision: The precision in which the network computes; the walk is in float32.

    Yields:
        (image id, mask uint8 [H, W] of class ids), in the order of the CAMs.
    """
    device = net.backbone.mean.device

    pyramids = image_pyramids(dataset, cams.image_ids, device=device)
    items = ((pyramid, cams.read(pyramid.image_id)) for pyramid in pyramids)

    def walk(item: tuple[ImagePyramid, ScoreRecord]) -> tuple[str, NDArray[np.uint8]]:
        pyramid, cam = item
        label = pseudo_label(net, pyramid.scaled[0], cam, config, precision=precision)
        return pyramid.image_id, label

    return overlapped_map(walk, items, device)


@torch.inference_mode()
def pseudo_label(
    net: AffinityNet,
    image: Tensor,
    cam: ScoreRecord,
    config: RandomWalkConfig,
    *,
    precision: Precision = "float32",
) -> NDArray[np.uint8]:
    """Makes the pseudo label of one image (SEAM, infer_aff.py).

    Differs from the released code at the edges of an image: here a cell there is the mean of its
    pixels inside the image. The released code also averages over pixels of zero padding.

    Args:
        net: The network in evaluation mode, on the device that computes.
        image: float32 [1, 3, H, W] in [0, 1].
        cam: Scores [n, H, W] of the n present classes.
        config: Background, alpha, beta and length of the walk.
        precision: The precision in which the network computes; the walk is in float32.

    Returns:
        uint8 [H, W] class ids; background everywhere if no class is present.
    """
    height, width = image.shape[-2:]
    if not cam.class_ids:
        return np.zeros((height, width), dtype=np.uint8)
    device = net.backbone.mean.device
    with autocast(precision, device):
        features = net(_pad(image.to(device, non_blocking=True), net))
    scores = torch.from_numpy(cam.scores).to(device)[None]
    background = (1 - scores.amax(dim=1, keepdim=True)) ** config.alpha
    sides, cells = pixels((height, width)), net.grid((height, width))
    scores = pool(torch.cat([background, scores], dim=1), sides, cells)
    scores = _walk(scores, features, net.radius, config)
    winner = first_argmax(resample(scores, cells, sides)[0])
    class_ids: NDArray[np.uint8] = np.array([0, *cam.class_ids], dtype=np.uint8)
    return class_ids[winner]


def _pad(image: Tensor, net: AffinityNet) -> Tensor:
    """Pads an image to whole cells, with the colour that becomes zero after normalisation."""
    height, width = image.shape[-2:]
    colour = net.backbone.mean[:, None, None]
    return F.pad(image - colour, (0, -width % net.stride, 0, -height % net.stride)) + colour


def _walk(scores: Tensor, features: Tensor, radius: int, config: RandomWalkConfig) -> Tensor:
    """Returns scores [B, C, h, w] after the walk; scores and features have the same grid."""
    if config.border == "psa":
        radius = fitting_radius(radius, *scores.shape[-2:])
    offsets = pair_offsets(radius)
    affinity = pairwise_affinity(features, offsets)
    if config.border == "psa":
        affinity = restrict_sources(affinity, offsets)
    return random_walk(scores, affinity, offsets, beta=config.beta, num_steps=2**config.log2_steps)
