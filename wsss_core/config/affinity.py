"""Config of AffinityNet and its training."""

from typing import Self

from pydantic import Field, model_validator

from wsss_core.config.backbone import BackboneConfig
from wsss_core.config.init_file import InitFile
from wsss_core.config.numbers import Channels, Side, Stage
from wsss_core.config.training import ColorJitter, TrainingConfig, check_range


class AffinityConfig(TrainingConfig):
    """Features of AffinityNet, and its training."""

    backbone: BackboneConfig
    init: InitFile | None = Field(
        None,
        description=(
            "trained AffinityNet to start from: a file of psa or of this project; null: the "
            "backbone's own weights"
        ),
    )
    features: tuple[Stage, ...] = Field(
        (4, 5, 7),
        min_length=1,
        description="backbone stages from which affinities are computed, counted from 1",
    )
    channels: tuple[Channels, ...] = Field(
        (64, 128, 256),
        min_length=1,
        description="each of these stages is reduced to this many channels",
    )
    radius: int = Field(
        5,
        ge=2,
        le=64,
        description="pairs of cells nearer than this, in cells, are compared",
    )
    crop_size: Side = 448
    resize_long: tuple[Side, Side] | None = Field(
        None,
        description=(
            "range of the longer side after a random resize, in pixels; null: images keep their "
            "size, as in psa"
        ),
    )
    color_jitter: ColorJitter = ColorJitter()

    @model_validator(mode="after")
    def _check(self) -> Self:
        if len(self.features) != len(self.channels):
            raise ValueError(
                f"features has {len(self.features)} entries and channels {len(self.channels)}; "
                "expected one number of channels for each feature"
            )
        check_range("resize_long", self.resize_long)
        if not self.epochs and self.init is None:
            raise ValueError("epochs is 0; expected at least 1 unless init is a weights file")
        return self
