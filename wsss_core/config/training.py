"""Config that every training shares: the optimiser, its schedule and the batch."""

from typing import Literal

from pydantic import Field

from wsss_core.config.base import ConfigModel
from wsss_core.config.numbers import BatchSize, Epochs, Factor


class OptimConfig(ConfigModel):
    """Optimiser and polynomial learning-rate schedule, stepped at every batch."""

    name: Literal["sgd", "adamw"] = "sgd"
    lr: float = Field(0.01, gt=0, le=100, description="learning rate of pretrained weights")
    head_lr_factor: Factor = Field(10.0, description="new layers learn this much faster")
    bias_lr_factor: Factor = Field(
        1.0, description="biases, pretrained and new, learn this much faster than weights"
    )
    weight_decay: float = Field(5e-4, ge=0, le=1)
    momentum: float = Field(
        5e-4,
        ge=0,
        lt=1,
        description=(
            "momentum of SGD. 0.0005 and not 0.9: the reference passes its weight decay where "
            "SGD takes the momentum, and its published numbers come from that"
        ),
    )
    poly_power: float = Field(
        0.9, ge=0, le=100, description="lr * (1 - step / steps) ** poly_power"
    )

    def lr_factor(self, group: str) -> float:
        """How much faster than pretrained weights a group of layers learns, by the group's name."""
        return {"backbone": 1.0, "head": self.head_lr_factor}[group]


class TrainingConfig(ConfigModel):
    """How long and on what batches a network is trained."""

    epochs: Epochs
    batch_size: BatchSize = Field(8, description="effective batch size, over all devices")
    optim: OptimConfig = OptimConfig()

    @property
    def lr_epochs(self) -> int:
        """Epochs after which the learning rate would be zero."""
        return self.epochs


def check_range(key: str, ends: tuple[float, float] | None) -> None:
    """Raises ValueError where a range given by its ends is empty; None is no range."""
    if ends is not None and not 0 < ends[0] <= ends[1]:
        raise ValueError(f"{key} is {list(ends)}; expected 0 < lowest <= highest")


class ColorJitter(ConfigModel):
    """Ranges of torchvision's ColorJitter; 0 leaves a property as it is.

    Attributes:
        brightness: A factor between 1 - this and 1 + this.
        contrast: A factor between 1 - this and 1 + this.
        saturation: A factor between 1 - this and 1 + this.
        hue: A shift between -this and this, in turns of the colour circle.
    """

    brightness: float = Field(0.3, ge=0, le=1)
    contrast: float = Field(0.3, ge=0, le=1)
    saturation: float = Field(0.3, ge=0, le=1)
    hue: float = Field(0.1, ge=0, le=0.5)
