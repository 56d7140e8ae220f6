"""Losses of the smoothing branch (paper, section III-A).

Letters: B images, C classes (background first) or K (without), H W pixels.
"""

from typing import Literal

import torch
import torch.nn.functional as F
from torch import Tensor

MeanOver = Literal["all", "present"]

CHARBONNIER_EPS = 1e-6  # the paper prints 1 exp^-6; its code has 0.001 squared


def boundary_loss(boundary_logits: Tensor, boundary: Tensor) -> Tensor:
    """Cross-entropy of the predicted semantic boundary, mean over all elements (paper eq. 2).

    Differs from the paper: eq. 2 has the arguments of the logarithm swapped and the wrong sign,
    which would be infinite for a boundary of zeros and ones.

    Args:
        boundary_logits: [B, C, H, W] of the boundary head.
        boundary: [B, C, H, W] in {0, 1}.

    Returns:
        Scalar.
    """
    return F.binary_cross_entropy_with_logits(boundary_logits, boundary)


def sobel(x: Tensor) -> tuple[Tensor, Tensor]:
    """Horizontal and vertical 3x3 Sobel responses (gain 8), edges replicated.

    Replicated and not padded with zeros, which would make an edge around every crop.

    Args:
        x: [B, C, H, W].

    Returns:
        Two maps [B, C, H, W].
    """
    x = F.pad(x, (1, 1, 1, 1), mode="replicate")
    blur_y = x[..., :-2, :] + 2 * x[..., 1:-1, :] + x[..., 2:, :]
    blur_x = x[..., :-2] + 2 * x[..., 1:-1] + x[..., 2:]
    return blur_y[..., 2:] - blur_y[..., :-2], blur_x[..., 2:, :] - blur_x[..., :-2, :]


def laplacian(x: Tensor) -> Tensor:
    """Eight-neighbour Laplacian: 8 times a pixel minus its neighbours, edges replicated.

    Args:
        x: [B, C, H, W].

    Returns:
        [B, C, H, W].
    """
    x = F.pad(x, (1, 1, 1, 1), mode="replicate")
    rows = x[..., :-2, :] + x[..., 1:-1, :] + x[..., 2:, :]
    neighbourhood = rows[..., :-2] + rows[..., 1:-1] + rows[..., 2:]
    return 9 * x[..., 1:-1, 1:-1] - neighbourhood


def smoothness_loss(
    cam: Tensor,
    boundary: Tensor,
    *,
    present: Tensor,
    alpha: float = 10.0,
    order_weights: tuple[float, float] = (1.0, 10.0),
    pixel_size: float = 1.0,
    mean_over: MeanOver = "all",
) -> Tensor:
    """Penalises change of the CAM wherever there is no semantic boundary (paper eq. 3 to 5).

    Differs from the paper, as its released code does: the boundary itself, not its derivative,
    relaxes the penalty, so that the CAM may fall on the whole band; derivatives are Sobel and
    Laplacian. Differs from both: the background, whose CAM nothing else trains, has no term.

    Args:
        cam: [B, K, H, W] in [0, 1].
        boundary: [B, K, H, W] in {0, 1}.
        present: [B, K] in {0, 1}; other classes do not count.
        alpha: A boundary multiplies the change by exp(-alpha).
        order_weights: Weights of first and second derivatives.
        pixel_size: Side of a pixel in the unit that derivatives are taken by.
        mean_over: "all" divides by the number of all classes with background, as the paper does,
            so that a weight means less the more classes a dataset has; "present" by the number of
            present ones.

    Returns:
        Scalar. Over "present" it is at least 0.001 * (2, 1) . order_weights where a class is
        present, since the absolute value is smoothed.
    """
    relaxed = torch.exp(-alpha * boundary)
    first = sum(_charbonnier(d / pixel_size * relaxed) for d in sobel(cam))
    second = _charbonnier(laplacian(cam) / pixel_size**2 * relaxed)
    per_class = (order_weights[0] * first + order_weights[1] * second).mean((-2, -1))
    if mean_over == "all":
        num_images, num_classes = present.shape
        return (per_class * present).sum() / (num_images * (num_classes + 1))
    return (per_class * present).sum() / present.sum().clamp(min=1)


def _charbonnier(x: Tensor) -> Tensor:
    """Psi of the paper: an absolute value that is smooth at zero."""
    return torch.sqrt(x * x + CHARBONNIER_EPS)
