"""Config of the CRF seeds that AffinityNet learns from."""

from typing import Self

from pydantic import Field, model_validator

from wsss_core.config.base import ConfigModel
from wsss_core.config.crf import CrfConfig


class Exponents(ConfigModel):
    """Background is (1 - max CAM) ** exponent: a strong one (low) and a weak one (high).

    What is foreground under the strong one and background under the weak one is trusted. They
    must bracket the best background threshold t*: t = (1 - t) ** exponent is 0.28 for 4 and 0.09
    for 24.
    """

    low: float = Field(4.0, gt=0)
    high: float = Field(24.0, gt=0)

    @model_validator(mode="after")
    def _ordered(self) -> Self:
        if self.low >= self.high:
            raise ValueError(f"low is {self.low} and high {self.high}; expected low < high")
        return self


class CrfSeedsConfig(ConfigModel):
    """Two backgrounds and the CRF that each is refined by."""

    exponents: Exponents = Exponents()
    crf: CrfConfig = CrfConfig()
