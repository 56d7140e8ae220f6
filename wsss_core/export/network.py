"""A trained segmenter as one module that takes pictures, in a form that can be exported.

Letters: B batch, C classes (background first), H W picture, h w feature map.
"""

import copy
from fractions import Fraction
from typing import cast

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from wsss_core.export.plain_ops import make_plain
from wsss_core.models.backbone import Backbone
from wsss_core.models.deeplab import DeepLab
from wsss_core.ops.grid import ceil_div, even, pixels, resample, within
from wsss_core.stages.segment import PROB_STRIDE

# Larger denominators would overflow the 64-bit arithmetic of sizes.
MAX_DENOMINATOR = 1000


class PortableSegmenter(nn.Module):
    """Does what `segment` does at scale 1, for batches of pictures of one size.

    `forward` uses only +, -, * and // on sizes. Exporters replace sizes by symbols, which support
    these operations, so sizes stay variable.
    """

    def __init__(self, network: DeepLab) -> None:
        """Copies the network and replaces layers that cannot be exported.

        Args:
            network: A trained network on the CPU. It is not changed.
        """
        super().__init__()
        network = copy.deepcopy(network).eval()
        make_plain(network)
        network.requires_grad_(requires_grad=False)
        self.backbone: Backbone = network.backbone
        self.head = network.head
        self.geometry = network.backbone.geometry
        self.scales = [Fraction(s).limit_denominator(MAX_DENOMINATOR) for s in network.scales]

    def forward(self, image: Tensor) -> tuple[Tensor, Tensor]:
        """Pictures uint8 [B, 3, H, W], RGB -> probabilities and masks.

        Returns:
            prob: float32 [B, C, H / PROB_STRIDE, W / PROB_STRIDE], sizes rounded up; sums to 1 over
                the classes.
            mask: uint8 [B, H, W] class indices.
        """
        height, width = image.shape[-2:]
        size = (height, width)
        grid = (ceil_div(height, PROB_STRIDE), ceil_div(width, PROB_STRIDE))
        logits = self.geometry.spread(self._logits(image.float() / 255), size, grid)
        enlarged = resample(logits, even(size, grid), pixels(size))
        return logits.softmax(dim=1), enlarged.argmax(dim=1).to(torch.uint8)

    def _logits(self, image: Tensor) -> Tensor:
        """Image in [0, 1] -> logits [B, C, h, w], the maximum over the scales as in `DeepLab`."""
        sides = image.shape[-2], image.shape[-1]
        target = self.geometry.grid(-1, sides)
        logits = self._classify(image)
        for scale in self.scales:
            height, width = (side * scale.numerator // scale.denominator for side in sides)
            size = (height, width)
            copy = even(sides, size)
            maps = self._classify(resample(image, pixels(sides), copy))
            maps = resample(maps, within(self.geometry.grid(-1, size), copy), target)
            logits = torch.maximum(logits, maps)
        return logits

    def _classify(self, image: Tensor) -> Tensor:
        """Image in [0, 1] -> logits [B, C, h, w] of one scale, with the padding of `Backbone`."""
        backbone = self.backbone
        normalized = backbone.normalize(image)
        if backbone.multiple > 1:
            margin = self.geometry.margin
            height, width = image.shape[-2] + margin, image.shape[-1] + margin
            below, right = self._padded(height) - height, self._padded(width) - width
            normalized = F.pad(normalized, (margin, right, margin, below))
        maps = backbone.network(normalized)[-1]
        if backbone.multiple > 1:
            grid = self.geometry.grid(-1, (image.shape[-2], image.shape[-1]))
            maps = maps[..., : grid.rows.length, : grid.columns.length]
        logits: Tensor = self.head(maps)
        return logits

    def _padded(self, side: int) -> int:
        """Rounds a side up to a multiple of `backbone.multiple`."""
        multiple = self.backbone.multiple
        count = ceil_div(side, multiple)
        if torch.compiler.is_exporting():
            # torch.export keeps sizes as formulas of the picture's size. They grow with each layer
            # until it cannot handle them. item() makes this size a new symbol without a formula.
            count = cast(int, torch.scalar_tensor(count, dtype=torch.int64).item())
            torch._check(count >= 1)
        return count * multiple
