"""Edges of photographs and semantic boundaries of label maps."""

import cv2
import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from torch import Tensor

IGNORE = 255


def semantic_boundary(mask: Tensor, *, num_classes: int, radius: int) -> Tensor:
    """Per-class boundary maps: where a class's region grown by `radius` exceeds it shrunk.

    Pixels closer than `radius` to an ignored one are no boundary: where an object really ends
    is unknown there.

    Args:
        mask: [B, H, W] class ids 0..C-1, 255 ignored.
        num_classes: C, with background.
        radius: Half width of the band; it is 2 * radius pixels wide.

    Returns:
        [B, C, H, W] float32 in {0, 1}.
    """
    ids = mask.long()
    ignored = ids == IGNORE
    one_hot = F.one_hot(ids.masked_fill(ignored, num_classes), num_classes + 1)
    regions = one_hot.permute(0, 3, 1, 2).float()
    grown = _dilate(regions, radius)
    shrunk = 1 - _dilate(1 - regions, radius)
    band = grown[:, :num_classes] - shrunk[:, :num_classes]
    return band * (1 - grown[:, num_classes:])


def _dilate(regions: Tensor, radius: int) -> Tensor:
    """Maximum over (2 radius + 1) squares; outside the image counts as its nearest pixel."""
    padded = F.pad(regions, (radius,) * 4, mode="replicate")
    return F.max_pool2d(padded, 2 * radius + 1, stride=1)


def canny_edges(image: NDArray[np.uint8], *, low: float, high: float) -> NDArray[np.uint8]:
    """Canny edges of a photograph as it is, not of a normalised one.

    Args:
        image: RGB uint8 [H, W, 3]; the channel of the strongest gradient decides at each pixel.
        low: Lower hysteresis threshold.
        high: Upper hysteresis threshold.

    Returns:
        uint8 [H, W]: 255 on edges, else 0.
    """
    edges: NDArray[np.uint8] = cv2.Canny(image, low, high)  # type: ignore[assignment]
    return edges


def cast_canny_edges(normalized: Tensor, *, low: float, high: float) -> Tensor:
    """Canny edges of a normalised image forced into bytes, as the paper's code finds them.

    Its values of about -2 to 3 lose their fraction and wrap around: 0, 1, 2, 254 and 255 are left,
    whose edges are roughly those of a silhouette. The code leaves the wrapping of negative numbers
    to the compiler; here it is that of two's complement.

    Args:
        normalized: [B, 3, H, W], as the backbone sees it.
        low: Lower hysteresis threshold.
        high: Upper hysteresis threshold.

    Returns:
        [B, 1, H, W] float32 in {0, 1}.
    """
    wrapped = normalized.detach().to(torch.int32).remainder(256).to(torch.uint8)
    images = wrapped.permute(0, 2, 3, 1).contiguous().cpu().numpy()
    edges = np.stack([canny_edges(image, low=low, high=high) for image in images])
    return torch.from_numpy(edges)[:, None].to(normalized.device).float() / 255
