"""Segmentation of any pictures by a trained network, whatever becomes of single ones."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import partial
from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.utils.data import Dataset as TorchDataset

from wsss_core.config.segment import SegmentConfig
from wsss_core.data.image_pyramid import ImagePyramid, image_pyramid, read_ahead
from wsss_core.data.images import read_image
from wsss_core.data.pictures import BadPictureError
from wsss_core.data.transforms import resize
from wsss_core.models.deeplab import DeepLab
from wsss_core.models.precision import Precision
from wsss_core.predict.pictures import Picture
from wsss_core.stages.segment import average_logits, best_class
from wsss_core.stages.segment_crf import refine_prob

MAX_VALUES = 2**25  # enlarged scores at a time; 128 MiB, more than 20 classes of 1024 x 1024 pixels


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
    network: DeepLab,
    pictures: Sequence[Picture],
    *,
    config: SegmentConfig,
    longest_side: int,
    precision: Precision = "float32",
) -> Iterator[tuple[Picture, Prediction | Failure]]:
    """Segments pictures one after the other.

    Args:
        network: In evaluation mode, on the device to compute on.
        pictures: Which ones.
        config: Scales, flip and CRF.
        longest_side: Larger pictures are shrunk to this for the network and the CRF, whose scores
            are enlarged again; 0: none is. Smaller ones are segmented as `segment` does it.
        precision: That the network computes in.
    """
    device = network.backbone.mean.device
    items = _Pictures(pictures, config=config, longest_side=longest_side)
    segment = partial(
        _segment, network, config=config, longest_side=longest_side, precision=precision
    )
    for picture, loaded in zip(pictures, read_ahead(items, device), strict=True):
        if isinstance(loaded, Failure):
            yield picture, loaded
            continue
        try:
            yield picture, segment(loaded)
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


def enlarged_argmax(
    scores: Tensor, size: tuple[int, int], *, max_values: int = MAX_VALUES
) -> NDArray[np.uint8]:
    """The class of each pixel after bilinear enlargement, without holding that of all pixels.

    A telephone's picture has 50 million pixels, of which 200 classes would take 40 GB.

    Args:
        scores: float32 [C, h, w].
        size: Height and width to enlarge to.
        max_values: How many enlarged scores there may be at a time, though a row of them at least.

    Returns:
        uint8 of that size. In strips, sums are rounded otherwise than in the whole.
    """
    height, width = size
    num_rows = max(1, max_values // (len(scores) * width))
    if num_rows >= height:
        return best_class(scores, size)
    mask = np.empty(size, dtype=np.uint8)
    for top in range(0, height, num_rows):
        numbers = range(top, min(top + num_rows, height))
        strip = _rows(scores, numbers, num_rows=height)
        mask[numbers.start : numbers.stop] = best_class(strip, (len(numbers), width))
    return mask


def _rows(scores: Tensor, numbers: range, *, num_rows: int) -> Tensor:
    """Some rows [C, n, w] of scores [C, h, w] that are enlarged to `num_rows` rows."""
    last = scores.shape[1] - 1
    rows = torch.arange(numbers.start, numbers.stop, device=scores.device)
    centres = ((rows + 0.5) * (scores.shape[1] / num_rows) - 0.5).clamp(0, last)
    above = centres.long()
    below = (above + 1).clamp(max=last)
    return torch.lerp(scores[:, above], scores[:, below], (centres - above)[:, None])


def _segment(
    network: DeepLab,
    loaded: _Loaded,
    *,
    config: SegmentConfig,
    longest_side: int,
    precision: Precision,
) -> Prediction:
    image = loaded.image.numpy()
    height, width = loaded.pyramid.size  # a list: the loader makes lists of tuples
    pyramid = loaded.pyramid._replace(size=(height, width))
    logits = average_logits(network, pyramid, precision=precision)
    prob = logits.softmax(dim=0).cpu().numpy()
    if config.crf is None:
        mask = enlarged_argmax(logits, image.shape[:2])
    else:
        classes, refined = refine_prob(shrink(image, longest_side), prob, config=config.crf)
        mask = classes[enlarged_argmax(torch.from_numpy(refined), image.shape[:2])]
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
            image = read_image(path)
        except BadPictureError as error:
            return Failure(str(error))
        small = shrink(image, self.longest_side)
        pyramid = image_pyramid(name, small, scales=self.config.scales, flip=self.config.flip)
        return _Loaded(torch.from_numpy(image), pyramid)
