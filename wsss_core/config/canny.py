"""Config of the Canny edges that the boundary head sees."""

from pydantic import Field

from wsss_core.config.base import Strict


class CannyConfig(Strict):
    """Hysteresis thresholds of OpenCV's Canny on the grey values 0..255 of the photograph."""

    low: float = Field(10, ge=0, le=2000)
    high: float = Field(100, ge=0, le=2000)
