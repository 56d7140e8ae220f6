"""Config of the Canny edges that the boundary head sees."""

from typing import Literal, Self

from pydantic import Field, model_validator

from wsss_core.config.base import ConfigModel


class CannyConfig(ConfigModel):
    """OpenCV's Canny: hysteresis thresholds on values 0..255, and what has these values."""

    low: float = Field(10, ge=0, le=2000)
    high: float = Field(100, ge=0, le=2000)
    input: Literal["rgb", "normalized_cast"] = Field(
        "rgb",
        description=(
            "the photograph; or, as in the paper's code, each training image after normalisation, "
            "whose values of about -2 to 3 are cut and wrapped to bytes"
        ),
    )
    edge_value: float = Field(
        1.0, gt=0, le=1000, description="of an edge pixel, in the boundary head"
    )

    @model_validator(mode="after")
    def _ordered(self) -> Self:
        if self.low > self.high:
            raise ValueError(f"low is {self.low:g} and high {self.high:g}; expected low <= high")
        return self
