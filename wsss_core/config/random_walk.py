"""Config of the random walk that propagates CAMs along affinities."""

from typing import Literal

from pydantic import Field

from wsss_core.config.base import ConfigModel
from wsss_core.config.numbers import Exponent


class RandomWalkConfig(ConfigModel):
    """Background score, transition matrix and length of the walk. Defaults: SEAM."""

    alpha: Exponent = Field(6.0, description="the background score is (1 - max CAM) ** alpha")
    beta: Exponent = Field(
        8.0,
        description="exponent of the affinities; a higher one keeps the walk within similar pixels",
    )
    log2_steps: int = Field(6, ge=0, le=12, description="the walk takes 2 ** log2_steps steps")
    border: Literal["psa", "full"] = Field(
        "psa",
        description=(
            "'psa': no edge starts in the last radius - 1 rows or in the first or last radius - 1 "
            "columns of cells, as in the published numbers; 'full': all edges"
        ),
    )
