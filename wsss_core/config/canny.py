"""Config of the Canny edges that are an input of the boundary head."""

from typing import Literal, Self

from pydantic import Field, model_validator

from wsss_core.config.base import ConfigModel


class CannyConfig(ConfigModel):
    """Canny edges of OpenCV. `low` and `high` are the hysteresis thresholds, for values 0..255."""

    low: float = Field(10, ge=0, le=2000)
    high: float = Field(100, ge=0, le=2000)
    input: Literal["rgb", "normalized_cast"] = Field(
        "rgb",
        description=(
            "'rgb': edges of the image; 'normalized_cast': edges of the normalised training image "
            "after a cast of its values (about -2 to 3) to bytes, as in the paper's code"
        ),
    )
    edge_value: float = Field(
        1.0, gt=0, le=1000, description="value of an edge pixel in the input of the boundary head"
    )

    @model_validator(mode="after")
    def _ordered(self) -> Self:
        if self.low > self.high:
            raise ValueError(f"low is {self.low:g} and high {self.high:g}; expected low <= high")
        return self
