"""Config of CAM inference."""

from pydantic import Field

from wsss_core.config.base import ConfigModel
from wsss_core.config.numbers import Scale


class CamConfig(ConfigModel):
    """Test-time scales and flip. The CAMs of all variants of an image are summed."""

    scales: tuple[Scale, ...] = Field((0.5, 1.0, 1.5, 2.0), min_length=1)
    flip: bool = True
    refined: bool = Field(
        default=True, description="SEAM's CAM after the pixel correlation module; false: before"
    )
