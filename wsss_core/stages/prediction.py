"""Segmentation of any pictures by a trained network, whatever becomes of single ones."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch.utils.data import Dataset as TorchDataset

from wsss_core.config.segment import SegmentConfig
from wsss_core.inference import ImagePyramid, image_pyramid, read_ahead
from wsss_core.models.deeplab import DeepLab
from wsss_core.pictures import BadPictureError, Picture, read_picture
from wsss_core.stages.segmentation import segment_pyramid
from wsss_core.stages.segmentation_crf import refine_mask
from wsss_core.transforms import resize


class Prediction(NamedTuple):
    """What a picture shows.

    Attributes:
        image: uint8 [H, W, 3], RGB, upright.
        mask: uint8 [H, W] class indices.
        prob: float32 [C, h, w], background first; of the network, not of a CRF.
    """

    image: NDArray[np.uint8]
    mask: NDArray[np.uint8]
    prob: NDArray[np.float32]


class Failure(NamedTuple):
    """Why there is no prediction, in a few words."""

    reason: str


class _Loaded(NamedTuple):
    image: torch.Tensor  # uint8 [H, W, 3]
    pyramid: ImagePyramid  # of the image, or of a smaller copy


def predict(
    network: DeepLab, pictures: Sequence[Picture], *, config: SegmentConfig, longest_side: int
) -> Iterator[tuple[Picture, Prediction | Failure]]:
    """Segments pictures one after the other.

    Args:
        network: In evaluation mode, on the device to compute on.
        pictures: Which ones.
        config: Scales, flip and CRF.
        longest_side: Larger pictures are shrunk to this for the network and the CRF, and their
            masks enlarged again; 0: none is. Smaller ones are segmented as `segment` does it.
    """
    items = _Pictures(pictures, config=config, longest_side=longest_side)
    for picture, loaded in zip(pictures, read_ahead(items), strict=True):
        if isinstance(loaded, Failure):
            yield picture, loaded
            continue
        try:
            yield picture, _segment(network, loaded, config=config, longest_side=longest_side)
        except torch.OutOfMemoryError:
            yield picture, Failure("too large for the GPU's memory; expected a --longest-side")


def shrink(image: NDArray[np.uint8], longest_side: int) -> NDArray[np.uint8]:
    """Shrinks an image, uint8 [H, W, 3], whose longer side is longer; 0: never."""
    height, width = image.shape[:2]
    factor = longest_side / max(height, width)
    if longest_side == 0 or factor >= 1:
        return image
    height, width = (max(1, round(factor * side)) for side in (height, width))
    return resize(image, height, width, interpolation="linear")


def _segment(
    network: DeepLab, loaded: _Loaded, *, config: SegmentConfig, longest_side: int
) -> Prediction:
    image = loaded.image.numpy()
    height, width = loaded.pyramid.size  # a list: the loader makes lists of tuples
    _, mask, prob = segment_pyramid(network, loaded.pyramid._replace(size=(height, width)))
    if config.crf is not None:
        mask = refine_mask(shrink(image, longest_side), prob, config=config.crf)
    if mask.shape != image.shape[:2]:
        mask = resize(mask, *image.shape[:2], interpolation="nearest")
    return Prediction(image, mask, prob)


class _Pictures(TorchDataset[_Loaded | Failure]):
    def __init__(
        self, pictures: Sequence[Picture], *, config: SegmentConfig, longest_side: int
    ) -> None:
        self.pictures = pictures
        self.config = config
        self.longest_side = longest_side

    def __len__(self) -> int:
        return len(self.pictures)

    def __getitem__(self, index: int) -> _Loaded | Failure:
        name, path = self.pictures[index]
        try:
            image = read_picture(path)
        except BadPictureError as error:
            return Failure(str(error))
        small = shrink(image, self.longest_side)
        pyramid = image_pyramid(name, small, scales=self.config.scales, flip=self.config.flip)
        return _Loaded(torch.from_numpy(image), pyramid)
