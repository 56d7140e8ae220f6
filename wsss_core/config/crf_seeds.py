"""Config of the CRF seeds on which AffinityNet is trained."""

from typing import Self

from pydantic import model_validator

from wsss_core.config.base import ConfigModel
from wsss_core.config.crf import CrfConfig
from wsss_core.config.numbers import Exponent


class CrfSeedsConfig(ConfigModel):
    """Two background scores, (1 - max CAM) ** alpha, and the CRF that refines each result.

    The low alpha gives a strong background, the high alpha a weak one. A pixel is a foreground seed
    if it is foreground even with the strong background, and a background seed if it is background
    even with the weak one. The best background threshold t of the CAMs should lie between the two:
    t = (1 - t) ** alpha gives t = 0.28 for alpha 4 and t = 0.09 for alpha 24.
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
