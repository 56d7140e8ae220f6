"""Config of the dense CRF, wherever one is applied."""

from pydantic import Field

from wsss_core.config.base import ConfigModel


class CrfConfig(ConfigModel):
    """Mean-field iterations and the two pairwise terms (defaults: psa and SEAM, on CAMs)."""

    iterations: int = Field(10, ge=1)
    gaussian_sxy: float = Field(3.0, gt=0, description="pixels; smooths whatever the colours")
    gaussian_compat: float = Field(3.0, ge=0, description="weight of that term")
    bilateral_sxy: float = Field(80.0, gt=0, description="pixels; smooths where colours agree")
    bilateral_srgb: float = Field(13.0, gt=0, description="of 255; when two colours agree")
    bilateral_compat: float = Field(10.0, ge=0, description="weight of that term")
