"""Large pictures: shrunk for the network, and its scores enlarged again, strip by strip."""

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

MAX_VALUES = 2**25  # enlarged scores at a time; 128 MiB, more than 20 classes of 1024 x 1024 pixels


def shrink(image: NDArray[np.uint8], longest_side: int) -> NDArray[np.uint8]:
    """Shrinks an image, uint8 [H, W, 3], whose longer side is longer; 0: never."""
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
    """The class of each pixel after bilinear enlargement, without holding that of all pixels.

    A telephone's picture has 50 million pixels, of which 200 classes would take 40 GB.

    Args:
        scores: float32 [C, h, w].
        size: Height and width to enlarge to.
        confidence: Pixels whose class has a lower probability than this are marked as ignored.
        are_logits: Whether the scores are logits, or else probabilities.
        max_values: How many enlarged scores there may be at a time, though a row of them at least.

    Returns:
        uint8 of that size. In strips, sums are rounded otherwise than in the whole.
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
    """Rows of the enlarged scores: all of them, or as many as may be held at a time."""
    height, width = size
    num_rows = max(1, max_values // (len(scores) * width))
    for top in range(0, height, num_rows):
        numbers = range(top, min(top + num_rows, height))
        strip = scores if num_rows >= height else _rows(scores, numbers, num_rows=height)
        strip_size = (len(numbers), width)
        source = even(strip_size, (strip.shape[-2], strip.shape[-1]))
        yield slice(top, numbers.stop), resample(strip[None], source, pixels(strip_size))[0]


def _rows(scores: Tensor, numbers: range, *, num_rows: int) -> Tensor:
    """Some rows [C, n, w] of scores [C, h, w] that are enlarged to `num_rows` rows."""
    last = scores.shape[1] - 1
    rows = torch.arange(numbers.start, numbers.stop, device=scores.device)
    centres = ((rows + 0.5) * (scores.shape[1] / num_rows) - 0.5).clamp(0, last)
    above = centres.long()
    below = (above + 1).clamp(max=last)
    return torch.lerp(scores[:, above], scores[:, below], (centres - above)[:, None])
