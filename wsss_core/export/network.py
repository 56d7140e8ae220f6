"""A trained segmenter as one function of pictures, in a form that other programs can run.

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
from wsss_core.ops.grid import linear_weights, resample
from wsss_core.stages.segment import PROB_STRIDE

# Finer factors than that do not fit into what is computed of sizes in 64 bits.
MAX_DENOMINATOR = 1000


class PortableSegmenter(nn.Module):
    """What `segment` does at scale 1, for batches of pictures of one size.

    `forward` computes with sizes only by +, -, *, //, on whatever stands for them while it is
    exported, so that they stay variable.
    """

    def __init__(self, network: DeepLab) -> None:
        """Copies the network and makes it plain.

        Args:
            network: A trained one, on the CPU; it is not changed.
        """
        super().__init__()
        network = copy.deepcopy(network).eval()
        make_plain(network)
        network.requires_grad_(requires_grad=False)
        self.backbone: Backbone = network.backbone
        self.head = network.head
        self.stride = network.stride
        self.scales = [Fraction(s).limit_denominator(MAX_DENOMINATOR) for s in network.scales]

    def forward(self, image: Tensor) -> tuple[Tensor, Tensor]:
        """Pictures uint8 [B, 3, H, W], RGB -> probabilities and masks.

        Returns:
            prob: float32 [B, C, H / PROB_STRIDE, W / PROB_STRIDE], sizes rounded up; sums to 1.
            mask: uint8 [B, H, W] class indices.
        """
        height, width = image.shape[-2:]
        logits = resample(
            self._logits(image.float() / 255),
            covered=(height, width),
            stride=self.stride,
            grid=(_ceil_div(height, PROB_STRIDE), _ceil_div(width, PROB_STRIDE)),
            align_corners=self.backbone.align_corners,
        )
        enlarged = F.interpolate(logits, (height, width), mode="bilinear", align_corners=False)
        return logits.softmax(dim=1), enlarged.argmax(dim=1).to(torch.uint8)

    def _logits(self, image: Tensor) -> Tensor:
        """Image in [0, 1] -> logits [B, C, h, w], the highest over the scales (`DeepLab`)."""
        sides = image.shape[-2:]
        logits = self._classify(image)
        for scale in self.scales:
            size = [side * scale.numerator // scale.denominator for side in sides]
            small = F.interpolate(image, size, mode="bilinear", align_corners=False)
            maps = self._classify(small)
            rows, columns = (
                linear_weights(length, num_cells=cells, step=part / side, device=maps.device)
                for length, cells, part, side in zip(
                    logits.shape[-2:], maps.shape[-2:], size, sides, strict=True
                )
            )
            logits = torch.maximum(logits, rows @ maps @ columns.T)
        return logits

    def _classify(self, image: Tensor) -> Tensor:
        """Image in [0, 1] -> logits [B, C, h, w], as `Backbone` pads and moves it."""
        backbone = self.backbone
        normalized = backbone.normalize(image)
        if backbone.multiple == 1:
            logits: Tensor = self.head(backbone.network(normalized)[-1])
            return logits
        height, width = image.shape[-2:]
        rows, columns = (self._padded(side) for side in (height, width))
        shift = backbone.shift
        moved = F.pad(normalized, (shift, columns - width - shift, shift, rows - height - shift))
        maps = backbone.network(moved)[-1]
        maps = maps[..., : _ceil_div(height, self.stride), : _ceil_div(width, self.stride)]
        logits = self.head(maps)
        return logits

    def _padded(self, side: int) -> int:
        """The next multiple of `backbone.multiple`."""
        multiple = self.backbone.multiple
        count = _ceil_div(side, multiple)
        if torch.compiler.is_exporting():
            # torch.export keeps sizes as formulas of the picture's, which grow with each layer
            # until they cannot be handled. To it, this is a number that comes from elsewhere.
            count = cast(int, torch.scalar_tensor(count, dtype=torch.int64).item())
            torch._check(count >= 1)
        return count * multiple


def _ceil_div(number: int, divisor: int) -> int:
    """Number / divisor, rounded up; in ONNX, -(-number // divisor) would be rounded down."""
    return (number + divisor - 1) // divisor
