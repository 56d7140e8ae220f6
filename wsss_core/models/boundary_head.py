"""Semantic boundary detection module (SBDM): the head of the smoothing branch (paper eq. 1)."""

from collections.abc import Sequence
from typing import Literal, cast

import torch
from torch import Tensor, nn

from wsss_core.ops.grid import Grid, resample

REDUCTION = 16  # of channels, inside the channel attention of the released form

Form = Literal["paper", "released"]


class BoundaryHead(nn.Module):
    """Predicts a boundary map per class from several backbone stages and Canny edges.

    Of the form "paper", two 3x3 convolutions make the initial boundary, and each class is fused
    with the edges by itself. Of the form "released", the paper's code, a residual block with
    channel attention and one convolution make it, and each class is fused with those of all others
    too. The paper names no activations; both forms have those of the code.

    Letters: B images, C classes (background first), h w its own resolution.
    """

    def __init__(
        self,
        in_channels: tuple[int, ...],
        num_classes: int,
        *,
        channels: int,
        canny: bool,
        form: Form = "paper",
    ) -> None:
        super().__init__()
        self.canny = canny
        self.form = form
        self.reduce = nn.ModuleList(_reduce(i, channels) for i in in_channels)
        joint = channels * len(in_channels)
        self.predict = nn.Sequential(
            *_refine(joint, form), nn.Conv2d(joint, num_classes, 3, padding=1)
        )
        if canny:
            self.fuse = _fusion(num_classes, form)

    def forward(
        self, features: Sequence[tuple[Tensor, Grid]], edges: Tensor | None, grid: Grid
    ) -> Tensor:
        """Boundary logits [B, C, h, w].

        Args:
            features: The chosen F_m, [B, D_m, h_m, w_m] each, and where their cells lie.
            edges: Canny edges [B, 1, h, w], not negative; None if the head takes none.
            grid: Where to predict, h x w.
        """
        resized = [
            resample(reduce(feature), source, grid)
            for reduce, (feature, source) in zip(self.reduce, features, strict=True)
        ]
        logits: Tensor = self.predict(torch.cat(resized, dim=1))
        if not self.canny:
            return logits
        assert edges is not None, "built to fuse Canny edges"
        edges = edges.expand_as(logits)
        if self.form == "paper":  # interleaved: first boundary, edges, second boundary, edges, ...
            joint = torch.stack([logits, edges], dim=2).flatten(1, 2)
        else:
            joint = torch.cat([logits, edges], dim=1)
        fused: Tensor = self.fuse(joint)
        return fused


class ResidualChannelAttention(nn.Module):
    """Two 3x3 convolutions, whose channels are shifted by what they are on average, and a skip.

    Channel attention as in the paper's code: it adds to a channel and does not scale it.
    """

    def __init__(self, channels: int) -> None:
        super().__init__()
        middle = max(1, channels // REDUCTION)
        self.body = nn.Sequential(
            nn.Conv2d(channels, channels, 3, padding=1),
            nn.ReLU(inplace=True),
            nn.Conv2d(channels, channels, 3, padding=1),
        )
        self.attention = nn.Sequential(
            nn.AdaptiveAvgPool2d(1),
            nn.Conv2d(channels, middle, 1),
            nn.ReLU(inplace=True),
            nn.Conv2d(middle, channels, 1),
        )

    def forward(self, x: Tensor) -> Tensor:
        """[B, D, h, w] -> [B, D, h, w]."""
        body: Tensor = self.body(x)
        return x + body + self.attention(body)


def _refine(channels: int, form: Form) -> list[nn.Module]:
    """What lies between the joint features and the initial boundary."""
    if form == "released":
        return [ResidualChannelAttention(channels)]
    return [nn.Conv2d(channels, channels, 3, padding=1), nn.ReLU(inplace=True)]


def _fusion(num_classes: int, form: Form) -> nn.Conv2d:
    if form == "released":
        return nn.Conv2d(2 * num_classes, num_classes, 1, bias=False)
    # A depthwise 1x1 convolution over interleaved (boundary, edges) pairs is two factors and a bias
    # per class. It starts as the initial boundary alone.
    fuse = nn.Conv2d(2 * num_classes, num_classes, 1, groups=num_classes)
    with torch.no_grad():
        fuse.weight.copy_(torch.tensor([1.0, 0.0]).view(1, 2, 1, 1))
    nn.init.zeros_(cast(Tensor, fuse.bias))
    return fuse


def _reduce(in_channels: int, channels: int) -> nn.Sequential:
    return nn.Sequential(
        nn.Conv2d(in_channels, channels, 1),
        nn.ReLU(inplace=True),
        nn.Conv2d(channels, channels, 3, padding=1),
        nn.ReLU(inplace=True),
    )
