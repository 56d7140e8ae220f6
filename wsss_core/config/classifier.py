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
    """Network and training of the classifier; how long is up to the method."""

    backbone: BackboneConfig
    crop_size: Side = 448
    resize_long: tuple[Side, Side] = Field(
        (448, 768), description="the longer side is resized to a random size in this range"
    )
    batch_size: BatchSize = 8
    dropout: float = Field(0.5, ge=0, lt=1, description="channel dropout before the CAM layer")
    color_jitter: ColorJitter = ColorJitter()
    optim: OptimConfig = OptimConfig()

    @model_validator(mode="after")
    def _check(self) -> Self:
        check_range("resize_long", self.resize_long)
        return self


class MethodSchedule(TrainingConfig):
    """A training whose learning rate may be that of a longer one."""

    schedule_epochs: Epochs | None

    @property
    def lr_epochs(self) -> int:
        """Epochs after which the learning rate would be zero."""
        return self.schedule_epochs or self.epochs


class ClassifierTraining(ConfigModel):
    """Everything that `train_classifier` reads: the shared part and the method's own."""

    classifier: ClassifierConfig
    method: SerializeAsAny[MethodConfig]  # of the class that its kind has
    canny: CannyConfig = CannyConfig()

    @property
    def backbone(self) -> BackboneConfig:
        """The backbone, at the output stride that the method works at."""
        backbone, output_stride = self.classifier.backbone, self.method.output_stride
        if output_stride is None:
            return backbone
        return backbone.model_copy(update={"output_stride": output_stride})

    @property
    def training(self) -> TrainingConfig:
        """How long and on what batches the method is trained."""
        return MethodSchedule(
            epochs=self.method.epochs,
            schedule_epochs=self.method.schedule_epochs,
            batch_size=self.classifier.batch_size,
            optim=self.classifier.optim,
        )
