"""Config of the precision in which networks compute."""

from typing import Literal

from pydantic import Field

from wsss_core.config.base import ConfigModel

Precision = Literal["float32", "bfloat16"]
AskedPrecision = Literal["auto", "float32", "bfloat16"]


class PrecisionConfig(ConfigModel):
    """Precision of all trainings, and of all stages that apply a trained network."""

    training: AskedPrecision = Field(
        "auto",
        description=(
            "precision of training; 'auto': bfloat16 on devices with bfloat16 units, otherwise "
            "float32"
        ),
    )
    inference: AskedPrecision = Field(
        "float32",
        description=(
            "precision of inference; 'auto': bfloat16 on devices with bfloat16 units, otherwise "
            "float32"
        ),
    )
