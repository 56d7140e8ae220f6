"""Config of classifier training, shared by all methods."""

from typing import Self

from pydantic import Field, SerializeAsAny, model_validator

from wsss_core.config.backbone import BackboneConfig
from wsss_core.config.base import ConfigModel
from wsss_core.config.canny import CannyConfig
from wsss_core.config.methods import MethodConfig
from wsss_core.config.numbers import BatchSize, Epochs, Side
from wsss_core.config.training import ColorJitter, OptimConfig, TrainingConfig, check_range


class ClassifierConfig(ConfigModel):
    """Network and training of the classifier. The number of epochs is a key of each method."""

    backbone: BackboneConfig
    crop_size: Side = 448
    resize_long: tuple[Side, Side] = Field(
        (448, 768), description="range of the longer side after a random resize, in pixels"
    )
    batch_size: BatchSize = 8
    dropout: float = Field(
        0.5, ge=0, lt=1, description="share of channels that are dropped before the CAM layer"
    )
    color_jitter: ColorJitter = ColorJitter()
    optim: OptimConfig = OptimConfig()

    @model_validator(mode="after")
    def _check(self) -> Self:
        check_range("resize_long", self.resize_long)
        return self


class MethodSchedule(TrainingConfig):
    """A training whose learning rate can follow the schedule of a longer training."""

    schedule_epochs: Epochs | None

    @property
    def lr_epochs(self) -> int:
        """Number of epochs after which the learning rate would reach zero."""
        return self.schedule_epochs or self.epochs


class ClassifierTraining(ConfigModel):
    """All that `train_classifier` reads: the shared section and the keys of the method."""

    classifier: ClassifierConfig
    method: SerializeAsAny[MethodConfig]  # an instance of the config class of its kind
    canny: CannyConfig = CannyConfig()

    @property
    def backbone(self) -> BackboneConfig:
        """The backbone with the output stride of the method."""
        backbone, output_stride = self.classifier.backbone, self.method.output_stride
        if output_stride is None:
            return backbone
        return backbone.model_copy(update={"output_stride": output_stride})

    @property
    def training(self) -> TrainingConfig:
        """Epochs, batch size and optimiser of the training."""
        return MethodSchedule(
            epochs=self.method.epochs,
            schedule_epochs=self.method.schedule_epochs,
            batch_size=self.classifier.batch_size,
            optim=self.classifier.optim,
        )
