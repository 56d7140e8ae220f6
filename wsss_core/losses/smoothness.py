"""Losses of the smoothing branch (paper, section III-A).

Letters: B images, C classes (background first) or K (without), H W pixels.
"""

from typing import Literal, NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor

from wsss_core.losses.shapes import expect_shape

BoundaryLoss = Literal["logits", "probabilities"]
Derivatives = Literal["differences", "sobel"]
EdgeWeight = Literal["gradient", "value"]
Padding = Literal["replicate", "zeros"]
WithoutBoundary = Literal["smooth", "leave"]

CHARBONNIER_EPS = 1e-6  # the paper prints 1 exp^-6; its code has 0.001 squared


def boundary_loss(
    boundary_logits: Tensor, boundary: Tensor, *, of: BoundaryLoss = "logits"
) -> Tensor:
    """Computes the mean cross-entropy of the predicted semantic boundary (paper eq. 2).

    Differs from the paper: eq. 2 swaps prediction and target in the logarithm and has the wrong
    sign. It would be infinite for a boundary of zeros and ones.

    Args:
        boundary_logits: [B, C, H, W], output of the boundary head.
        boundary: [B, C, H, W] in [0, 1].
        of: "logits" is exact. "probabilities" first takes the sigmoid, as in the paper's code: in
            single precision a wrong logit above 17 then gives a loss of 100 without gradient.

    Returns:
        Scalar.
    """
    expect_shape("boundary", boundary, boundary_logits.shape)
    if of == "logits":
        return F.binary_cross_entropy_with_logits(boundary_logits, boundary)
    with torch.autocast(boundary_logits.device.type, enabled=False):  # it forbids this loss
        prob = boundary_logits.to(boundary.dtype).sigmoid()
        return F.binary_cross_entropy(prob, boundary)


class Change(NamedTuple):
    """First and second derivatives of a map, each [B, C, H, W]."""

    first: tuple[Tensor, ...]
    second: tuple[Tensor, ...]


def derive(x: Tensor, *, derivatives: Derivatives, padding: Padding) -> Change:
    """Computes first and second derivatives of a map.

    Args:
        x: [B, C, H, W].
        derivatives: "differences": differences of neighbours in each direction (delta and delta^2
            of the paper's eq. 3 and 4). "sobel": Sobel responses in each direction and one
            Laplacian, as in the paper's code.
        padding: Values outside the map. "zeros" add an edge around each crop.
    """
    if derivatives == "sobel":
        return Change(sobel(x, padding=padding), (laplacian(x, padding=padding),))
    x = _pad(x, padding)
    rows, columns = x[..., 1:-1, :], x[..., 1:-1]
    return Change(
        first=(rows[..., 2:] - rows[..., 1:-1], columns[..., 2:, :] - columns[..., 1:-1, :]),
        second=(
            rows[..., 2:] - 2 * rows[..., 1:-1] + rows[..., :-2],
            columns[..., 2:, :] - 2 * columns[..., 1:-1, :] + columns[..., :-2, :],
        ),
    )


def sobel(x: Tensor, *, padding: Padding = "replicate") -> tuple[Tensor, Tensor]:
    """Computes horizontal and vertical 3x3 Sobel responses (8 for a slope of 1 per pixel).

    Args:
        x: [B, C, H, W].
        padding: See `derive`.

    Returns:
        Two maps [B, C, H, W].
    """
    x = _pad(x, padding)
    blur_y = x[..., :-2, :] + 2 * x[..., 1:-1, :] + x[..., 2:, :]
    blur_x = x[..., :-2] + 2 * x[..., 1:-1] + x[..., 2:]
    return blur_y[..., 2:] - blur_y[..., :-2], blur_x[..., 2:, :] - blur_x[..., :-2, :]


def laplacian(x: Tensor, *, padding: Padding = "replicate") -> Tensor:
    """Computes the eight-neighbour Laplacian: 8 times a pixel minus its neighbours.

    Args:
        x: [B, C, H, W].
        padding: See `derive`.

    Returns:
        [B, C, H, W].
    """
    x = _pad(x, padding)
    rows = x[..., :-2, :] + x[..., 1:-1, :] + x[..., 2:, :]
    neighbourhood = rows[..., :-2] + rows[..., 1:-1] + rows[..., 2:]
    return 9 * x[..., 1:-1, 1:-1] - neighbourhood


class Operators(NamedTuple):
    """How the change of a map is measured, and what relaxes its penalty.

    Attributes:
        derivatives: See `derive`.
        edge_weight: What relaxes the penalty at a pixel. "gradient": the same derivative of the
            boundary. "value": the boundary itself, so that the CAM may change anywhere on the band.
        order_weights: Weights of first and second derivatives.
        padding: See `derive`.
    """

    derivatives: Derivatives = "differences"
    edge_weight: EdgeWeight = "gradient"
    order_weights: tuple[float, float] = (1.0, 10.0)
    padding: Padding = "replicate"


OPERATORS = {
    "text": Operators(),  # the paper's eq. 3 to 5, which do not say the padding
    "released": Operators("sobel", "value", (10.0, 1.0), "zeros"),  # the paper's code
}


def smoothness_loss(  # noqa: PLR0913
    cam: Tensor,
    boundary: Tensor,
    *,
    present: Tensor,
    operators: Operators = OPERATORS["text"],
    edge_alpha: float = 10.0,
    pixel_size: float = 1.0,
    num_classes: int | None = None,
    without_boundary: WithoutBoundary = "smooth",
    num_images: int | None = None,
) -> Tensor:
    """Penalises change of the CAM wherever there is no semantic boundary (paper eq. 3 to 5).

    Args:
        cam: One of three forms, in [0, 1]. [B, K, H, W]: all classes. [B, C, H, W]: with a
            background channel first, as in the paper's code. [N, 1, H, W]: only the present
            classes of each image (`ops/present.py`), so that absent ones cost no time.
        boundary: The boundary, in [0, 1], in the same form as `cam`.
        present: [B, K], [B, C] or [N, 1] in {0, 1}: whether a class is present. Absent classes do
            not count.
        operators: How change is measured and relaxed.
        edge_alpha: A boundary of 1 multiplies the change by exp(-edge_alpha).
        pixel_size: Side of a pixel in the unit of length of the derivatives.
        num_classes: The sum over present classes is divided by this number for each image. The
            paper divides by the number of all classes and the background, so the loss is weaker
            the more classes a dataset has. None: divide by the number of present classes.
        without_boundary: What happens to a present class whose boundary is zero everywhere.
            "smooth": its loss counts like others. "leave": its loss is 0.
        num_images: Number of images in the batch; None: B.

    Returns:
        Scalar. With num_classes None, "smooth" and a class present, it is at least 0.001 times the
        weighted number of derivatives, since the smoothed absolute value is 0.001 at zero.
    """
    expect_shape("boundary", boundary, cam.shape)
    expect_shape("present", present, cam.shape[:2])
    derivatives, edge_weight, order_weights, padding = operators
    change = derive(cam, derivatives=derivatives, padding=padding)
    if edge_weight == "gradient":
        steps = derive(boundary, derivatives=derivatives, padding=padding)
        relaxed = [[torch.exp(-edge_alpha * s.abs()) for s in order] for order in steps]
    else:
        relaxed = [[torch.exp(-edge_alpha * boundary)] * len(order) for order in change]
    first, second = (
        sum(
            (_charbonnier(d / pixel_size**order * r) for d, r in zip(ds, rs, strict=True)),
            start=cam.new_zeros(()),
        )
        for order, ds, rs in zip((1, 2), change, relaxed, strict=True)
    )
    per_class = (order_weights[0] * first + order_weights[1] * second).mean((-2, -1))
    if without_boundary == "leave":
        per_class = per_class * (boundary.amax((-2, -1)) > 0)
    if num_classes is not None:
        return (per_class * present).sum() / ((num_images or len(cam)) * num_classes)
    return (per_class * present).sum() / present.sum().clamp(min=1)


def _pad(x: Tensor, padding: Padding) -> Tensor:
    return F.pad(x, (1, 1, 1, 1), mode="constant" if padding == "zeros" else padding)


def _charbonnier(x: Tensor) -> Tensor:
    """Computes psi of the paper: an absolute value that is smooth at zero."""
    return torch.sqrt(x * x + CHARBONNIER_EPS)
