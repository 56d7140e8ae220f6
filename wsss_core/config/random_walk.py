"""Config of the random walk that spreads CAMs along affinities."""

from typing import Literal

from pydantic import Field

from wsss_core.config.base import ConfigModel
from wsss_core.config.numbers import Exponent


class RandomWalkConfig(ConfigModel):
    """Background, transition matrix and length of the walk (defaults: SEAM)."""

    alpha: Exponent = Field(6.0, description="background is (1 - max CAM) ** alpha")
    beta: Exponent = Field(8.0, description="affinities are raised to it: higher is pickier")
    log2_steps: int = Field(6, ge=0, le=12, description="the walk takes 2 ** log2_steps steps")
    border: Literal["psa", "full"] = Field(
        "psa",
        description=(
            "'psa' has no edge that starts in the last radius - 1 rows or the outermost "
            "radius - 1 columns of cells, as the published numbers; 'full' has them all"
        ),
    )
