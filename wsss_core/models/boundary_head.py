"""Semantic boundary detection module (SBDM): the head of the smoothing branch (paper eq. 1)."""

from collections.abc import Sequence
from typing import Literal, cast

import torch
from torch import Tensor, nn

from wsss_core.ops.grid import Grid, resample

REDUCTION = 16  # factor between channels, in the channel attention of the released form

Form = Literal["paper", "released"]


class BoundaryHead(nn.Module):
    """Predicts a boundary map per class from several backbone stages and Canny edges.

    Form "paper": two 3x3 convolutions compute the initial boundary. Each class is fused with the
    edges separately.
    Form "released" (the paper's code): a residual block with channel attention and a convolution
    compute the initial boundary. All classes and the edges are fused together.
    The paper does not name the activations; both forms use those of the code.

    Letters: B images, C classes (background first), h w resolution of the head.
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
            features: The chosen F_m, [B, D_m, h_m, w_m] each, and the positions of their cells.
            edges: Canny edges [B, 1, h, w], not negative; None if the head does not use them.
            grid: Positions of the h x w predicted pixels.
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
    """Two 3x3 convolutions with channel attention and a skip connection.

    As in the paper's code, the attention adds a value to each channel and does not scale it.
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
    """Builds the layers between the joined features and the last convolution."""
    if form == "released":
        return [ResidualChannelAttention(channels)]
    return [nn.Conv2d(channels, channels, 3, padding=1), nn.ReLU(inplace=True)]


def _fusion(num_classes: int, form: Form) -> nn.Conv2d:
    if form == "released":
        return nn.Conv2d(2 * num_classes, num_classes, 1, bias=False)
    # A grouped 1x1 convolution over interleaved (boundary, edges) pairs: two factors and a bias per
    # class. At the start it returns the initial boundary.
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
