"""Large pictures: they are shrunk for the network, and its scores are enlarged strip by strip."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from wsss_core.data.image_pyramid import first_argmax
from wsss_core.data.images import IGNORE_INDEX
from wsss_core.data.transforms import resize
from wsss_core.ops.grid import even, pixels, resample

MAX_VALUES = 2**25  # enlarged scores per strip; 128 MiB, more than 20 classes of 1024 x 1024 pixels


def shrink(image: NDArray[np.uint8], longest_side: int) -> NDArray[np.uint8]:
    """Shrinks an image [H, W, 3] to a longer side of at most `longest_side`; 0 means no limit."""
    height, width = image.shape[:2]
    factor = longest_side / max(height, width)
    if longest_side == 0 or factor >= 1:
        return image
    height, width = (max(1, round(factor * side)) for side in (height, width))
    return resize(image, height, width, interpolation="linear")


def enlarged_argmax(
    scores: Tensor,
    size: tuple[int, int],
    *,
    confidence: float = 0.0,
    are_logits: bool = True,
    max_values: int = MAX_VALUES,
) -> NDArray[np.uint8]:
    """Finds each pixel's class after bilinear enlargement, without storing all enlarged scores.

    A phone's picture can have 50 million pixels. The scores of 200 classes for it would take 40 GB.

    Args:
        scores: float32 [C, h, w].
        size: Height and width to enlarge to.
        confidence: A pixel is marked as ignored if the probability of its class is lower than this.
        are_logits: Whether the scores are logits; otherwise they are probabilities.
        max_values: Largest number of enlarged scores in memory; a strip has at least one row.

    Returns:
        uint8 of that size. Rounding in strips differs slightly from rounding in one piece.
    """
    mask = np.empty(size, dtype=np.uint8)
    for rows, enlarged in _strips(scores, size, max_values):
        mask[rows] = first_argmax(enlarged)
        if confidence > 0:
            prob = enlarged.softmax(dim=0) if are_logits else enlarged
            mask[rows][(prob.amax(dim=0) < confidence).cpu().numpy()] = IGNORE_INDEX
    return mask


def _strips(
    scores: Tensor, size: tuple[int, int], max_values: int
) -> Iterator[tuple[slice, Tensor]]:
    """Yields strips of the enlarged scores: slices of rows, and their scores [C, rows, width]."""
    height, width = size
    num_rows = max(1, max_values // (len(scores) * width))
    for top in range(0, height, num_rows):
        numbers = range(top, min(top + num_rows, height))
        strip = scores if num_rows >= height else _rows(scores, numbers, num_rows=height)
        strip_size = (len(numbers), width)
        source = even(strip_size, (strip.shape[-2], strip.shape[-1]))
        yield slice(top, numbers.stop), resample(strip[None], source, pixels(strip_size))[0]


def _rows(scores: Tensor, numbers: range, *, num_rows: int) -> Tensor:
    """Interpolates n rows [C, n, w] of scores [C, h, w] that are enlarged to `num_rows` rows."""
    last = scores.shape[1] - 1
    rows = torch.arange(numbers.start, numbers.stop, device=scores.device)
    centres = ((rows + 0.5) * (scores.shape[1] / num_rows) - 0.5).clamp(0, last)
    above = centres.long()
    below = (above + 1).clamp(max=last)
    return torch.lerp(scores[:, above], scores[:, below], (centres - above)[:, None])
