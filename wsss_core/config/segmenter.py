"""Config of the segmentation network and of its training on pseudo labels."""

from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from wsss_core.config.backbone import BackboneConfig
from wsss_core.config.init_file import NameOrFile
from wsss_core.config.training import ColorJitter, OptimConfig, TrainingConfig


class SegmenterConfig(TrainingConfig):
    """DeepLab-v2 (Chen et al., TPAMI 2018) on any backbone."""

    backbone: BackboneConfig
    init: NameOrFile[Literal["imagenet", "classifier"]] = Field(
        "imagenet",
        description=(
            "'imagenet': the backbone's own weights; 'classifier': the backbone of the method's "
            "trained classifier, which must be the same network; or a segmenter of ours in a file"
        ),
    )
    rates: tuple[Annotated[int, Field(ge=1)], ...] = Field(
        (6, 12, 18, 24),
        min_length=1,
        description="dilations of the parallel 3x3 convolutions (ASPP), in feature-map cells",
    )
    crop_size: int = Field(320, ge=32, multiple_of=32)
    scale: tuple[float, float] = Field(
        (0.5, 1.5), description="range of the random factor on the image's size"
    )
    color_jitter: ColorJitter | None = None
    batch_size: int = Field(10, ge=1, description="effective batch size, over all devices")
    optim: OptimConfig = OptimConfig(lr=2.5e-4, momentum=0.9)

    @model_validator(mode="after")
    def _scale_is_a_range(self) -> Self:
        low, high = self.scale
        if not 0 < low <= high:
            raise ValueError(f"scale is {list(self.scale)}, expected 0 < lowest <= highest")
        return self
