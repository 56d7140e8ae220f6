"""Semantic boundary detection module (SBDM): the head of the smoothing branch (paper eq. 1)."""

from typing import cast

import torch
import torch.nn.functional as F
from torch import Tensor, nn


class BoundaryHead(nn.Module):
    """Predicts a boundary map per class from several backbone stages and Canny edges.

    Letters: B images, C classes (background first), h w its own resolution.
    """

    def __init__(
        self, in_channels: tuple[int, ...], num_classes: int, *, channels: int, canny: bool
    ) -> None:
        super().__init__()
        self.canny = canny
        self.reduce = nn.ModuleList(_reduce(i, channels) for i in in_channels)
        joint = channels * len(in_channels)
        self.predict = nn.Sequential(
            nn.Conv2d(joint, joint, 3, padding=1),
            nn.ReLU(inplace=True),
            nn.Conv2d(joint, num_classes, 3, padding=1),
        )
        if canny:
            # A depthwise 1x1 convolution over interleaved (boundary, edges) pairs is two factors
            # and a bias per class. It starts as the initial boundary alone.
            self.fuse = nn.Conv2d(2 * num_classes, num_classes, 1, groups=num_classes)
            with torch.no_grad():
                self.fuse.weight.copy_(torch.tensor([1.0, 0.0]).view(1, 2, 1, 1))
            nn.init.zeros_(cast(Tensor, self.fuse.bias))

    def forward(
        self, features: list[Tensor], edges: Tensor | None, size: tuple[int, int]
    ) -> Tensor:
        """Boundary logits [B, C, h, w].

        Args:
            features: The chosen F_m, [B, D_m, h_m, w_m] each.
            edges: Canny edges [B, 1, h, w] in [0, 1]; None if the head takes none.
            size: (h, w) to predict at.
        """
        resized = [
            F.interpolate(reduce(feature), size, mode="bilinear", align_corners=False)
            for reduce, feature in zip(self.reduce, features, strict=True)
        ]
        logits: Tensor = self.predict(torch.cat(resized, dim=1))
        if not self.canny:
            return logits
        assert edges is not None, "built to fuse Canny edges"
        pairs = torch.stack([logits, edges.expand_as(logits)], dim=2)
        fused: Tensor = self.fuse(pairs.flatten(1, 2))
        return fused


def _reduce(in_channels: int, channels: int) -> nn.Sequential:
    return nn.Sequential(
        nn.Conv2d(in_channels, channels, 1),
        nn.ReLU(inplace=True),
        nn.Conv2d(channels, channels, 3, padding=1),
        nn.ReLU(inplace=True),
    )
