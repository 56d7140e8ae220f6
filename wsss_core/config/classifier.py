"""Config of classifier training, shared by all methods."""

from typing import Literal, Self

from pydantic import Field, PositiveInt, model_validator

from wsss_core.config.backbone import BackboneConfig
from wsss_core.config.base import ConfigModel
from wsss_core.config.canny import CannyConfig
from wsss_core.config.methods import MethodConfig
from wsss_core.config.training import ColorJitter, OptimConfig, check_range

MIN_SIDE = 8  # pixels of the second branch's image, of which there is one feature cell then


class SeamConfig(ConfigModel):
    """SEAM (Wang et al., CVPR 2020): second scale and pixel correlation module (PCM)."""

    scale: float = Field(0.3, gt=0, le=1, description="size of the second branch's image")
    pcm_features: tuple[PositiveInt, PositiveInt] = Field(
        (4, 5), description="backbone stages the PCM reads"
    )
    pcm_channels: tuple[PositiveInt, PositiveInt] = Field(
        (64, 128), description="channels each is reduced to"
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


class ClassifierConfig(ConfigModel):
    """Network and training of the classifier; how long is up to the method."""

    backbone: BackboneConfig
    crop_size: int = Field(448, ge=32)
    resize_long: tuple[int, int] = Field(
        (448, 768), description="the longer side is resized to a random size in this range"
    )
    batch_size: int = Field(8, ge=1)
    dropout: float = Field(0.5, ge=0, lt=1, description="channel dropout before the CAM layer")
    color_jitter: ColorJitter = ColorJitter()
    optim: OptimConfig = OptimConfig()
    seam: SeamConfig = SeamConfig()

    @model_validator(mode="after")
    def _check(self) -> Self:
        check_range("resize_long", self.resize_long)
        if self.crop_size * self.seam.scale < MIN_SIDE:
            raise ValueError(
                f"seam.scale is {self.seam.scale}; expected at least {MIN_SIDE} pixels of a "
                f"crop_size of {self.crop_size}"
            )
        return self


class ClassifierTraining(ConfigModel):
    """Everything that `train_classifier` reads: the shared part and the method's own."""

    classifier: ClassifierConfig
    method: MethodConfig
    canny: CannyConfig = CannyConfig()
