"""SEAM: a CAM classifier with a pixel correlation module (Wang et al., CVPR 2020).

Letters: B images, K foreground classes, C = K + 1 with background first, h w feature cells,
N = h * w.
"""

from collections.abc import Sequence
from typing import NamedTuple, cast

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from wsss_core.models.backbone import Backbone
from wsss_core.models.cam_net import CamLayer
from wsss_core.ops.cam import EPS, add_background, keep_strongest
from wsss_core.ops.grid import Grid, pixels, resample

# Number of affinities of an image in memory at a time: 64 MB in float32. Grids of up to 64 x 64
# cells, and so all training crops, are one block.
BLOCK_AFFINITIES = 2**24


class SeamOutput(NamedTuple):
    """Output of SEAM at the resolution of the features."""

    cam_logits: Tensor  # [B, K, h, w]
    refined_cam: Tensor  # [B, C, h, w], background first, in [0, 1]
    features: list[Tensor]  # F_1..F_n of the backbone
    background_logits: Tensor  # [B, 1, h, w], or [B, 0, h, w] without a background channel


class PixelCorrelation(nn.Module):
    """PCM: replaces the scores of each cell by a weighted mean over similar cells.

    Features and CAM are detached, so losses on the refined CAM train only this module.

    All N x N affinities need 441 MB for an image of 500 x 333 pixels at scale 2 and stride 8. So
    cells are refined in blocks. Inference has one block in memory at a time; training keeps all
    blocks for the gradients.
    """

    def __init__(self, in_channels: tuple[int, int], channels: tuple[int, int]) -> None:
        super().__init__()
        self.reduce = nn.ModuleList(
            nn.Conv2d(i, o, 1, bias=False) for i, o in zip(in_channels, channels, strict=True)
        )
        joint = sum(channels)
        self.embed = nn.Conv2d(joint + 3, joint, 1, bias=False)
        for layer in self.reduce:
            nn.init.kaiming_normal_(cast(nn.Conv2d, layer).weight)
        nn.init.xavier_uniform_(self.embed.weight, gain=4)

    def forward(
        self, score: Tensor, inputs: Sequence[tuple[Tensor, Grid]], image: Tensor, grid: Grid
    ) -> Tensor:
        """Score [B, C, h, w] -> refined score [B, C, h, w].

        Args:
            score: CAM scores with background, in [0, 1].
            inputs: Two feature maps, and the positions of their cells in the image.
            image: [B, 3, H, W], normalised for the backbone.
            grid: Positions of the cells of `score`.

        Returns:
            In [0, 1]. For each cell: the mean of all scores, weighted by similarity to the cell.
        """
        sides = image.shape[-2], image.shape[-1]
        joint = [resample(image, pixels(sides), grid)]
        for reduce, (feature, source) in zip(self.reduce, inputs, strict=True):
            feature = F.relu(reduce(feature.detach()))
            joint.append(feature if source == grid else resample(feature, source, grid))
        embedding = self.embed(torch.cat(joint, dim=1)).flatten(2)  # [B, D, N]
        embedding = embedding / (embedding.norm(dim=1, keepdim=True) + EPS)
        cells = max(1, BLOCK_AFFINITIES // embedding.shape[2])
        blocks = [
            _mean_over_similar(score.flatten(2), embedding, of=block)
            for block in embedding.split(cells, dim=2)
        ]
        return torch.cat(blocks, dim=2).view(score.shape)


def _mean_over_similar(score: Tensor, embedding: Tensor, *, of: Tensor) -> Tensor:
    """Computes, for some cells, the mean of the scores of all cells, weighted by similarity.

    Args:
        score: [B, C, N].
        embedding: [B, D, N], a vector of length 1 (or 0) for each cell.
        of: [B, D, n], the columns of `embedding` for the cells of the result.

    Returns:
        [B, C, n].
    """
    affinity = F.relu(embedding.transpose(1, 2) @ of, inplace=True)  # [B, N, n]
    # Divide after the product: normalised affinities would be a second array of N x n values.
    return (score @ affinity) / (affinity.sum(1, keepdim=True) + EPS)


class SeamNet(nn.Module):
    """CAM layer and PCM on one backbone.

    The CAM layer can have a channel for the background before the classes, as in the released code.
    Only the smoothness loss uses it. Elsewhere, background is 1 minus the strongest class.
    """

    def __init__(
        self,
        backbone: Backbone,
        num_classes: int,
        *,
        dropout: float,
        pcm_features: tuple[int, int],
        pcm_channels: tuple[int, int],
        background: bool = False,
    ) -> None:
        super().__init__()
        self.backbone = backbone
        self.num_classes = num_classes
        self.num_background = int(background)
        self.classifier = CamLayer(
            backbone.channels[-1], self.num_background + num_classes, dropout=dropout
        )
        self.pcm_features = pcm_features
        first, second = backbone.channels_of(pcm_features, key="pcm_features")
        self.pcm = PixelCorrelation((first, second), pcm_channels)

    def forward(self, image: Tensor) -> SeamOutput:
        """Image [B, 3, H, W] in [0, 1] -> CAM, refined CAM and features."""
        features = self.backbone(image)
        logits: Tensor = self.classifier(features[-1])
        background_logits = logits[:, : self.num_background]
        cam_logits = logits[:, self.num_background :]
        sides = image.shape[-2], image.shape[-1]
        refined_cam = self.pcm(
            _pcm_score(cam_logits.detach()),
            [(features[m - 1], self.backbone.geometry.grid(m, sides)) for m in self.pcm_features],
            self.backbone.normalize(image),
            self.backbone.geometry.grid(-1, sides),
        )
        return SeamOutput(cam_logits, refined_cam, features, background_logits)

    @torch.inference_mode()
    def infer_raw(self, image: Tensor) -> Tensor:
        """Image [B, 3, H, W] in [0, 1] -> non-negative CAM [B, K, h, w] of the classifier."""
        logits: Tensor = self.classifier(self.backbone(image)[-1])
        return logits[:, self.num_background :].relu()

    @torch.inference_mode()
    def infer(self, image: Tensor) -> Tensor:
        """Image [B, 3, H, W] in [0, 1] -> refined CAM of the classes [B, K, h, w] in [0, 1]."""
        output: SeamOutput = self(image)
        return output.refined_cam[:, 1:]


def _pcm_score(cam_logits: Tensor) -> Tensor:
    """CAM logits [B, K, h, w] -> scores for the PCM: background and each cell's strongest class."""
    cam = cam_logits.float().relu()  # bf16 would often give two classes the same score
    cam = (cam - EPS).relu() / (cam.amax((-2, -1), keepdim=True) + EPS)
    background = add_background(cam)[:, :1]
    return torch.cat([background, keep_strongest(cam)], dim=1)
