"""Config of the precision that networks compute in."""

from typing import Literal

from pydantic import Field

from wsss_core.config.base import ConfigModel

AskedPrecision = Literal["auto", "float32", "bfloat16"]


class PrecisionConfig(ConfigModel):
    """Of all trainings, and of all stages that apply a trained network."""

    training: AskedPrecision = Field(
        "auto",
        description=(
            "of trainings; 'auto' is bfloat16 on GPUs that have units for it, and on such CPUs "
            "where the network gains from it"
        ),
    )
    inference: AskedPrecision = Field(
        "float32",
        description="of trained networks; 'auto' is bfloat16 wherever there are units for it",
    )
