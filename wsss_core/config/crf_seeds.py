"""Config of the CRF seeds that AffinityNet learns from."""

from typing import Self

from pydantic import model_validator

from wsss_core.config.base import ConfigModel
from wsss_core.config.crf import CrfConfig
from wsss_core.config.numbers import Exponent


class CrfSeedsConfig(ConfigModel):
    """Two backgrounds, (1 - max CAM) ** alpha, and the CRF that each is refined by.

    The low alpha makes a strong background, the high one a weak one. What is foreground under the
    strong one and background under the weak one is trusted. They must bracket the best background
    threshold t*: t = (1 - t) ** alpha is 0.28 for 4 and 0.09 for 24.
    """

    low_alpha: Exponent = 4.0
    high_alpha: Exponent = 24.0
    crf: CrfConfig = CrfConfig()

    @model_validator(mode="after")
    def _ordered(self) -> Self:
        if self.low_alpha >= self.high_alpha:
            raise ValueError(
                f"low_alpha is {self.low_alpha} and high_alpha {self.high_alpha}; "
                "expected low_alpha < high_alpha"
            )
        return self
