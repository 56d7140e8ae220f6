"""Kind `seam`: two scales whose CAMs refine each other (SEAM; Wang et al., CVPR 2020; row 2).

Letters: B images, K foreground classes, C = K + 1 with background first, H W pixels.
"""

from pathlib import Path
from typing import Literal, NamedTuple

import torch
import torch.nn.functional as F
from pydantic import Field, PositiveInt
from torch import Tensor, nn

from wsss_core.config.base import ConfigModel
from wsss_core.config.classifier import ClassifierTraining
from wsss_core.config.methods import MethodConfig
from wsss_core.losses.classification import classification_loss
from wsss_core.losses.seam import adaptive_min_loss, cross_refinement_loss, equivariance_loss
from wsss_core.models.backbone import Loader, build_backbone
from wsss_core.models.seam import SeamNet, SeamOutput
from wsss_core.ops.cam import add_background, normalize_cam
from wsss_core.training.batches import Batch
from wsss_core.training.distributed import Losses
from wsss_core.training.loss_monitor import Alarm

MIN_SIDE = 8  # pixels of the second scale's image, of which there is one feature cell then


class LossWeights(ConfigModel):
    """Factor of each loss (SEAM: all 1). A loss with weight 0 is computed and shown only."""

    classification: float = Field(1.0, ge=0)
    adaptive_min: float = Field(1.0, ge=0)
    er: float = Field(1.0, ge=0)
    ecr: float = Field(1.0, ge=0)


class Config(MethodConfig):
    """SEAM: second scale, pixel correlation module (PCM) and losses."""

    scale: float = Field(0.3, gt=0, le=1, description="size of the second scale's image")
    pcm_features: tuple[PositiveInt, PositiveInt] = Field(
        (4, 5), description="backbone stages that the PCM reads"
    )
    pcm_channels: tuple[PositiveInt, PositiveInt] = Field(
        (64, 128), description="channels each of them is reduced to"
    )
    ecr_top_fraction: float = Field(
        0.2, gt=0, le=1, description="share of hardest elements in the ECR loss"
    )
    ecr_background: Literal["everywhere", "where_strongest"] = Field(
        "everywhere",
        description="where the target of the ECR loss has a background beside the strongest class",
    )
    background: bool = Field(
        default=False,
        description=(
            "a CAM channel of its own for the background, which only the smoothness loss reads, as "
            "in the released code"
        ),
    )
    loss_weights: LossWeights = LossWeights()

    def feature_stages(self) -> dict[str, tuple[int, ...]]:
        """Backbone stages F_m that the PCM reads."""
        return {"pcm_features": self.pcm_features}

    def check_crop(self, crop_size: int) -> None:
        """Raises ValueError where the second scale would have hardly a cell."""
        if crop_size * self.scale < MIN_SIDE:
            raise ValueError(
                f"scale is {self.scale}; expected at least {MIN_SIDE} pixels of a crop_size of "
                f"{crop_size}"
            )


class Scale(NamedTuple):
    """One scale of a batch, and what the network says about it."""

    image: Tensor  # [B, 3, H, W] in [0, 1]
    output: SeamOutput

    @property
    def size(self) -> tuple[int, int]:
        """Height and width of the image."""
        height, width = self.image.shape[-2:]
        return height, width


class Training(nn.Module):
    """SEAM's network with its losses (SEAM, train_SEAM.py)."""

    alarms: tuple[Alarm, ...] = ()

    def __init__(self, net: SeamNet, config: Config) -> None:
        super().__init__()
        self.net = net
        self.config = config
        self.loss_weights = config.loss_weights.model_dump()

    def forward(self, batch: Batch) -> Losses:
        """Batch of `ClassifierSamples` -> unweighted losses by name."""
        return self.losses(self.at_scales(batch["image"]), batch["label"])

    def at_scales(self, image: Tensor) -> list[Scale]:
        """Applies the network to an image [B, 3, H, W] and to a smaller copy of it."""
        height, width = image.shape[-2:]
        size = int(height * self.config.scale), int(width * self.config.scale)
        return [
            Scale(x, self.net(x)) for x in (image, self.net.backbone.geometry.resize(image, size))
        ]

    def losses(self, scales: list[Scale], label: Tensor) -> dict[str, Tensor]:
        """The losses of both scales; label [B, K] in {0, 1}."""
        present = F.pad(label, (1, 0), value=1.0)[:, :, None, None]  # background always is
        cams = [self._enlarge(scale.output.cam_logits, scale.size) for scale in scales]
        refined = [self._enlarge(scale.output.refined_cam, scale.size) for scale in scales]
        classification = [classification_loss(cam, label) for cam in cams]
        adaptive_min = [adaptive_min_loss(r[:, 1:], label) for r in refined]

        common = scales[1].size
        resize = self.net.backbone.geometry.resize
        cams = [resize(normalize_cam(cam), common) * present[:, 1:] for cam in cams]
        refined = [resize(normalize_cam(r), common) * present for r in refined]
        scores = [add_background(cam) for cam in cams]
        return {
            "classification": torch.stack(classification).mean(),
            "adaptive_min": torch.stack(adaptive_min).mean(),
            "er": equivariance_loss(*cams),
            "ecr": self._ecr(refined[0], scores[1]) + self._ecr(refined[1], scores[0]),
        }

    def _ecr(self, refined_cam: Tensor, target: Tensor) -> Tensor:
        return cross_refinement_loss(
            refined_cam,
            target,
            top_fraction=self.config.ecr_top_fraction,
            background=self.config.ecr_background,
        )

    def _enlarge(self, maps: Tensor, size: tuple[int, int]) -> Tensor:
        """Maps on the cells of an image of a size -> on its pixels."""
        return self.net.backbone.geometry.spread(maps, size, size)

    def param_groups(self) -> dict[str, list[nn.Parameter]]:
        """Parameters of the pretrained backbone and of the new layers."""
        return {
            "backbone": list(self.net.backbone.parameters()),
            "head": [*self.net.classifier.parameters(), *self.net.pcm.parameters()],
        }


def build_network(
    config: ClassifierTraining, num_classes: int, *, load: Loader | None = None
) -> SeamNet:
    """Backbone, CAM layer and PCM."""
    method = config.method
    assert isinstance(method, Config), "a method of this kind"
    return SeamNet(
        build_backbone(config.backbone, load=load),
        num_classes,
        dropout=config.classifier.dropout,
        pcm_features=method.pcm_features,
        pcm_channels=method.pcm_channels,
        background=method.background,
    )


def build_training(
    net: SeamNet, config: ClassifierTraining, *, init: Path | None = None
) -> Training:
    """The network with its losses."""
    assert isinstance(config.method, Config), "a method of this kind"
    return Training(net, config.method)
