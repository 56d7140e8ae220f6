"""Config of a dense CRF."""

from pydantic import Field

from wsss_core.config.base import ConfigModel
from wsss_core.config.numbers import Weight, Width


class CrfConfig(ConfigModel):
    """Mean-field iterations and two pairwise terms. Defaults: psa and SEAM, for CAMs."""

    iterations: int = Field(10, ge=1, le=1000)
    gaussian_sxy: Width = Field(
        3.0, description="in pixels; this term smooths whatever the colours are"
    )
    gaussian_compat: Weight = Field(3.0, description="weight of the Gaussian term")
    bilateral_sxy: Width = Field(
        80.0, description="in pixels; this term smooths where colours are similar"
    )
    bilateral_srgb: Width = Field(13.0, description="in colour values of 0 to 255")
    bilateral_compat: Weight = Field(10.0, description="weight of the bilateral term")
