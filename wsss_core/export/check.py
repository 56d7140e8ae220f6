"""Whether an exported file computes what the trained network does."""

from typing import NamedTuple

import torch
from torch import Tensor

from wsss_core.export.formats import Run
from wsss_core.models.deeplab import DeepLab
from wsss_core.ops.grid import even, pixels, resample
from wsss_core.runtime.errors import UserError
from wsss_core.stages.segment import PROB_STRIDE

# Other kernels sum in another order; that changed a probability by 2e-5 at most in what was tried.
PROB_TOLERANCE = 1e-3
# Pixels whose two best classes are equally likely may change sides.
MASK_TOLERANCE = 1e-3
# Batch, and what is added to the smallest side: multiples of all strides, and odd sizes, lengthwise
# and across.
SIZES = ((1, 0, 32), (2, 33, 70), (3, 97, 6))


class Difference(NamedTuple):
    """How far two networks are apart, at most.

    Attributes:
        prob: Between probabilities.
        mask: Share of pixels of other classes.
    """

    prob: float
    mask: float


def check_outputs(run: Run, network: DeepLab, *, smallest_side: int, what: str) -> Difference:
    """Compares an exported file with its network on random pictures of several sizes.

    Args:
        run: Runs the file.
        network: In evaluation mode, on the CPU.
        smallest_side: Of pictures.
        what: The file, for the message.

    Raises:
        UserError: They differ by more than the tolerances.
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
                f"{prob:.2g}, {100 * mask:.2g} % of the masks; expected at most "
                f"{PROB_TOLERANCE:g} and {100 * MASK_TOLERANCE:g} %"
            )
        differences.append((prob, mask))
    return Difference(*map(max, zip(*differences, strict=True)))


@torch.no_grad()
def reference(network: DeepLab, image: Tensor) -> tuple[Tensor, Tensor]:
    """What `segment` does at scale 1, in float32: pictures uint8 [B, 3, H, W] -> prob, mask."""
    height, width = image.shape[-2:]
    size = (height, width)
    grid = (-(-height // PROB_STRIDE), -(-width // PROB_STRIDE))
    logits = network.backbone.geometry.spread(network(image.float() / 255), size, grid)
    enlarged = resample(logits, even(size, grid), pixels(size))
    return logits.softmax(dim=1), enlarged.argmax(dim=1).to(torch.uint8)
