"""Config of the dense CRF, wherever one is applied."""

from pydantic import Field

from wsss_core.config.base import ConfigModel
from wsss_core.config.numbers import Weight, Width


class CrfConfig(ConfigModel):
    """Mean-field iterations and the two pairwise terms (defaults: psa and SEAM, on CAMs)."""

    iterations: int = Field(10, ge=1, le=1000)
    gaussian_sxy: Width = Field(3.0, description="pixels; smooths whatever the colours")
    gaussian_compat: Weight = Field(3.0, description="weight of that term")
    bilateral_sxy: Width = Field(80.0, description="pixels; smooths where colours agree")
    bilateral_srgb: Width = Field(13.0, description="of 255; when two colours agree")
    bilateral_compat: Weight = Field(10.0, description="weight of that term")
