"""Config that all trainings share: optimiser, learning-rate schedule and batch size."""

from typing import Literal

from pydantic import Field

from wsss_core.config.base import ConfigModel
from wsss_core.config.numbers import BatchSize, Epochs, Factor


class OptimConfig(ConfigModel):
    """Optimiser, and a polynomial learning-rate schedule that is updated at every step."""

    name: Literal["sgd", "adamw"] = "sgd"
    lr: float = Field(0.01, gt=0, le=100, description="learning rate of pretrained weights")
    head_lr_factor: Factor = Field(10.0, description="new layers learn this many times faster")
    bias_lr_factor: Factor = Field(
        1.0,
        description="biases, pretrained and new, learn this many times faster than weights",
    )
    weight_decay: float = Field(5e-4, ge=0, le=1)
    momentum: float = Field(
        5e-4,
        ge=0,
        lt=1,
        description=(
            "momentum of SGD; 0.0005 and not 0.9: the reference code passes its weight decay where "
            "SGD expects the momentum, and all published numbers come from that"
        ),
    )
    poly_power: float = Field(
        0.9,
        ge=0,
        le=100,
        description="the learning rate is lr * (1 - step / steps) ** poly_power",
    )

    def lr_factor(self, group: str) -> float:
        """Returns the factor on `lr` for a parameter group, "backbone" or "head"."""
        return {"backbone": 1.0, "head": self.head_lr_factor}[group]


class TrainingConfig(ConfigModel):
    """Epochs, batch size and optimiser of a training."""

    epochs: Epochs
    batch_size: BatchSize = Field(8, description="effective batch size, over all devices")
    optim: OptimConfig = OptimConfig()

    @property
    def lr_epochs(self) -> int:
        """Number of epochs after which the learning rate would reach zero."""
        return self.epochs


def check_range(key: str, ends: tuple[float, float] | None) -> None:
    """Raises ValueError unless 0 < lowest <= highest. None is accepted."""
    if ends is not None and not 0 < ends[0] <= ends[1]:
        raise ValueError(f"{key} is {list(ends)}; expected 0 < lowest <= highest")


class ColorJitter(ConfigModel):
    """Strength of random changes of colour, as in torchvision's ColorJitter; 0: no change.

    Attributes:
        brightness: The factor is between 1 - brightness and 1 + brightness.
        contrast: The factor is between 1 - contrast and 1 + contrast.
        saturation: The factor is between 1 - saturation and 1 + saturation.
        hue: The shift is between -hue and hue, as a share of the colour circle.
    """

    brightness: float = Field(0.3, ge=0, le=1)
    contrast: float = Field(0.3, ge=0, le=1)
    saturation: float = Field(0.3, ge=0, le=1)
    hue: float = Field(0.1, ge=0, le=0.5)
