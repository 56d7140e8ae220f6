"""Kind `seam`: two scales whose CAMs refine each other (SEAM; Wang et al., CVPR 2020; row 2).

Letters: B images, K foreground classes, C = K + 1 with background first, H W pixels.
"""

from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Literal, NamedTuple

import torch
from pydantic import Field
from torch import Tensor, nn

from wsss_core.config.base import ConfigModel
from wsss_core.config.classifier import ClassifierTraining
from wsss_core.config.methods import MethodConfig
from wsss_core.config.numbers import Channels, Stage, Weight
from wsss_core.losses.classification import classification_loss
from wsss_core.losses.seam import adaptive_min_loss, cross_refinement_loss, equivariance_loss
from wsss_core.models.backbone import Loader, build_backbone
from wsss_core.models.geometry import FeatureGeometry
from wsss_core.models.seam import SeamNet, SeamOutput
from wsss_core.ops.cam import add_background, normalize_cam
from wsss_core.ops.present import put, strongest, take, with_background
from wsss_core.training.batches import Batch
from wsss_core.training.distributed import Losses
from wsss_core.training.loss_monitor import Alarm

MIN_SIDE = 8  # smallest side of the second scale in pixels: one feature cell


class LossWeights(ConfigModel):
    """Weight of each loss (SEAM: all 1). A loss with weight 0 is computed and logged only.

    Attributes:
        classification: Weight of the multi-label classification loss.
        adaptive_min: Weight of the mean over the quarter of pixels with the lowest response.
        er: Weight of the equivariant regularisation: CAMs of both scales must agree.
        ecr: Weight of the equivariant cross regularisation: the refined CAM of each scale must
            agree with the CAM of the other scale.
    """

    classification: Weight = 1.0
    adaptive_min: Weight = 1.0
    er: Weight = 1.0
    ecr: Weight = 1.0


class Config(MethodConfig):
    """SEAM: second scale, pixel correlation module (PCM) and losses."""

    scale: float = Field(
        0.3, gt=0, le=1, description="size of the second, smaller copy of the image, as a factor"
    )
    pcm_features: tuple[Stage, Stage] = Field(
        (4, 5), description="backbone stages that the pixel correlation module (PCM) reads"
    )
    pcm_channels: tuple[Channels, Channels] = Field(
        (64, 128), description="the PCM reduces each of these stages to this many channels"
    )
    ecr_top_fraction: float = Field(
        0.2,
        gt=0,
        le=1,
        description="the ECR loss is the mean of this share of its elements, the hardest",
    )
    ecr_background: Literal["everywhere", "where_strongest"] = Field(
        "everywhere",
        description=(
            "where the target of the ECR loss contains background: 'everywhere': at each cell, "
            "beside the strongest class, as in SEAM's code; 'where_strongest': where background "
            "wins, and no class there"
        ),
    )
    background: bool = Field(
        default=False,
        description=(
            "adds a CAM channel for the background, which only the smoothness loss trains, as in "
            "the released code"
        ),
    )
    loss_weights: LossWeights = LossWeights()

    def feature_stages(self) -> dict[str, tuple[int, ...]]:
        """Returns the backbone stages F_m that the PCM reads."""
        return {"pcm_features": self.pcm_features}

    def check_crop(self, crop_size: int) -> None:
        """Raises ValueError if the second scale would have less than one feature cell."""
        if crop_size * self.scale < MIN_SIDE:
            raise ValueError(
                f"scale is {self.scale}; expected at least {MIN_SIDE} pixels of a crop_size of "
                f"{crop_size}"
            )


class Scale(NamedTuple):
    """One scale of a batch, and the output of the network for it."""

    image: Tensor  # [B, 3, H, W] in [0, 1]
    output: SeamOutput

    @property
    def size(self) -> tuple[int, int]:
        """Height and width of the image."""
        height, width = self.image.shape[-2:]
        return height, width


class Training(nn.Module):
    """SEAM's network with its losses (train_SEAM.py)."""

    alarms: tuple[Alarm, ...] = ()

    def __init__(self, net: SeamNet, config: Config) -> None:
        super().__init__()
        self.net = net
        self.config = config
        self.loss_weights = config.loss_weights.model_dump()

    def forward(self, batch: Batch) -> Losses:
        """Batch of `ClassifierSamples` -> unweighted losses by name."""
        return self.losses(self.at_scales(batch["image"]), batch)

    def at_scales(self, image: Tensor) -> list[Scale]:
        """Applies the network to an image [B, 3, H, W] and to a smaller copy of it."""
        return [Scale(x, self.net(x)) for x in self.images(image)]

    @property
    def images(self) -> Callable[[Tensor], list[Tensor]]:
        """Returns a function from images [B, 3, H, W], on any device, to both scales of them."""
        geometry = self.net.backbone.geometry
        return partial(_both_scales, scale=self.config.scale, geometry=geometry)

    def losses(self, scales: list[Scale], batch: Batch) -> dict[str, Tensor]:
        """Computes the losses of both scales. Only maps of present classes are resized."""
        label = batch["label"]
        of_cams, of_refined = batch["present"], with_background(batch["present"], len(label))
        cams = [self._enlarge(take(s.output.cam_logits, of_cams), s.size) for s in scales]
        refined = [self._enlarge(take(s.output.refined_cam, of_refined), s.size) for s in scales]
        classification = [self._classification(scale, label) for scale in scales]
        classes = slice(len(label), None)  # without the first B maps, the backgrounds
        adaptive_min = [
            adaptive_min_loss(strongest(r[classes], of_cams, num_images=len(label)))
            for r in refined
        ]

        common, (num_images, num_classes) = scales[1].size, label.shape
        resize = self.net.backbone.geometry.resize
        cams = [
            put(resize(normalize_cam(cam), common), of_cams, (num_images, num_classes))
            for cam in cams
        ]
        refined = [
            put(resize(normalize_cam(r), common), of_refined, (num_images, num_classes + 1))
            for r in refined
        ]
        scores = [add_background(cam) for cam in cams]
        return {
            "classification": torch.stack(classification).mean(),
            "adaptive_min": torch.stack(adaptive_min).mean(),
            "er": equivariance_loss(*cams),
            "ecr": self._ecr(refined[0], scores[1]) + self._ecr(refined[1], scores[0]),
        }

    def _classification(self, scale: Scale, label: Tensor) -> Tensor:
        """Computes the loss of the means over the image's pixels without resizing the maps.

        The mean over a resized map is a weighted mean over its cells. The weights are the gradient
        of this mean.
        """
        cam_logits = scale.output.cam_logits.float()
        with torch.enable_grad():
            cell = cam_logits.new_zeros(1, 1, *cam_logits.shape[-2:], requires_grad=True)
            mean = self._enlarge(cell, scale.size).mean()
        (share,) = torch.autograd.grad(mean, cell)
        return classification_loss(cam_logits * (share * cell.numel()), label)

    def _ecr(self, refined_cam: Tensor, target: Tensor) -> Tensor:
        return cross_refinement_loss(
            refined_cam,
            target,
            top_fraction=self.config.ecr_top_fraction,
            background=self.config.ecr_background,
        )

    def _enlarge(self, maps: Tensor, size: tuple[int, int]) -> Tensor:
        """Resizes maps from the cells to the pixels of an image of the given size."""
        return self.net.backbone.geometry.spread(maps, size, size)

    def param_groups(self) -> dict[str, list[nn.Parameter]]:
        """Returns the parameters of the pretrained backbone and of the new layers."""
        return {
            "backbone": list(self.net.backbone.parameters()),
            "head": [*self.net.classifier.parameters(), *self.net.pcm.parameters()],
        }


def _both_scales(image: Tensor, *, scale: float, geometry: FeatureGeometry) -> list[Tensor]:
    height, width = image.shape[-2:]
    return [image, geometry.resize(image, (int(height * scale), int(width * scale)))]


def build_network(
    config: ClassifierTraining, num_classes: int, *, load: Loader | None = None
) -> SeamNet:
    """Builds the network: backbone, CAM layer and PCM."""
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
    """Adds the losses to the network."""
    assert isinstance(config.method, Config), "a method of this kind"
    return Training(net, config.method)
