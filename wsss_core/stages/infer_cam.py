"""Stage infer_cam: class activation maps of the present classes, over scales and mirror images."""

from collections.abc import Iterator, Sequence
from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from wsss_core.config.cam import CamConfig
from wsss_core.config.precision import Precision
from wsss_core.data.dataset import Dataset
from wsss_core.data.image_pyramid import ImagePyramid, image_pyramids
from wsss_core.methods.kinds import ClassifierNet
from wsss_core.models.precision import autocast
from wsss_core.ops.cam import normalize_cam
from wsss_core.runtime.overlapped_map import overlapped_map


class ImageCam(NamedTuple):
    """The CAM of one image; only the classes of the image's label."""

    image_id: str
    class_ids: tuple[int, ...]  # 1..K
    cam: NDArray[np.float32]  # [n, H, W] in [0, 1]


def infer_cams(
    net: ClassifierNet,
    dataset: Dataset,
    image_ids: Sequence[str],
    *,
    config: CamConfig,
    precision: Precision = "float32",
) -> Iterator[ImageCam]:
    """Computes CAMs image by image.

    Args:
        net: A classifier in evaluation mode, on its device.
        dataset: Images and labels.
        image_ids: The images to process.
        config: Scales and flip.
        precision: The precision in which the network computes.
    """
    device = next(net.parameters()).device
    pyramids = image_pyramids(
        dataset, image_ids, device=device, scales=config.scales, flip=config.flip
    )

    def infer(pyramid: ImagePyramid) -> ImageCam:
        class_ids = tuple(int(k) + 1 for k in np.flatnonzero(dataset.labels[pyramid.image_id]))
        channels = [k - 1 for k in class_ids]
        cam = merge_scales(net, pyramid, channels, refined=config.refined, precision=precision)
        return ImageCam(pyramid.image_id, class_ids, normalize_cam(cam).cpu().numpy())

    return overlapped_map(infer, pyramids, device)


@torch.inference_mode()
def merge_scales(
    net: ClassifierNet,
    pyramid: ImagePyramid,
    channels: list[int],
    *,
    refined: bool = True,
    precision: Precision = "float32",
) -> Tensor:
    """Sums the CAMs of all scales and mirror images at the size of the image (infer_SEAM.py).

    Args:
        net: A classifier in evaluation mode.
        pyramid: The image at each scale.
        channels: Indices 0..K-1 of the n classes to compute.
        refined: Whether to use the network's refined CAM, if it has one.
        precision: The precision in which the network computes.

    Returns:
        [n, H, W], not negative.
    """
    device = next(net.parameters()).device
    total = torch.zeros(len(channels), *pyramid.size, device=device)
    if not channels:
        return total
    infer = net.infer if refined else net.infer_raw
    for variants in pyramid.scaled:
        with autocast(precision, device):
            cam = infer(variants.to(device, non_blocking=True))
        seen = variants.shape[-2], variants.shape[-1]
        cam = net.backbone.geometry.spread(cam[:, channels], seen, pyramid.size)
        total += cam[0] + cam[1].flip(-1) if len(cam) == 2 else cam[0]
    return total
