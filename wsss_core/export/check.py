"""Checks that an exported file computes the same as the trained network."""

from typing import NamedTuple

import torch
from torch import Tensor

from wsss_core.export.formats import Run
from wsss_core.models.deeplab import DeepLab
from wsss_core.ops.grid import even, pixels, resample
from wsss_core.runtime.errors import UserError
from wsss_core.stages.segment import PROB_STRIDE

# Other kernels sum in another order. In our trials this changed a probability by at most 2e-5.
PROB_TOLERANCE = 1e-3
# Share of pixels. Where two classes are equally likely, the order of sums may decide.
MASK_TOLERANCE = 1e-3
# Batch size, and the pixels that are added to the smallest height and width: multiples of all
# strides and odd sizes, in landscape and portrait format.
SIZES = ((1, 0, 32), (2, 33, 70), (3, 97, 6))


class Difference(NamedTuple):
    """The largest differences between the outputs of two networks.

    Attributes:
        prob: Difference of probabilities.
        mask: Share of pixels with different classes, 0 to 1.
    """

    prob: float
    mask: float


def check_outputs(run: Run, network: DeepLab, *, smallest_side: int, what: str) -> Difference:
    """Compares an exported file with its network on random pictures of several sizes.

    Args:
        run: Function that runs the exported file.
        network: The network, in evaluation mode and on the CPU.
        smallest_side: Smallest height and width of a picture, in pixels.
        what: Name of the format, for the message.

    Raises:
        UserError: The outputs differ by more than the tolerances.
    """
    generator = torch.Generator().manual_seed(0)
    differences = []
    for batch, *more in SIZES:
        shape = (batch, 3, *(smallest_side + length for length in more))
        image = torch.randint(0, 256, shape, dtype=torch.uint8, generator=generator)
        found, expected = run(image), reference(network, image)
        prob = float((found[0] - expected[0]).abs().max())
        mask = float((found[1] != expected[1]).float().mean())
        if not (prob <= PROB_TOLERANCE and mask <= MASK_TOLERANCE):  # NaN fails too
            raise UserError(
                f"{what}: for pictures {shape} its probabilities differ from the network's by "
                f"{prob:.2g} and its masks in {100 * mask:.2g} % of the pixels; expected at most "
                f"{PROB_TOLERANCE:g} and {100 * MASK_TOLERANCE:g} %"
            )
        differences.append((prob, mask))
    return Difference(*map(max, zip(*differences, strict=True)))


@torch.no_grad()
def reference(network: DeepLab, image: Tensor) -> tuple[Tensor, Tensor]:
    """Computes what `segment` does at scale 1: pictures uint8 [B, 3, H, W] -> prob, mask."""
    height, width = image.shape[-2:]
    size = (height, width)
    grid = (-(-height // PROB_STRIDE), -(-width // PROB_STRIDE))
    logits = network.backbone.geometry.spread(network(image.float() / 255), size, grid)
    enlarged = resample(logits, even(size, grid), pixels(size))
    return logits.softmax(dim=1), enlarged.argmax(dim=1).to(torch.uint8)
