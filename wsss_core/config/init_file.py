"""Config of weights that come from outside of the experiment."""

from pydantic import Field

from wsss_core.config.base import Strict


class InitFile(Strict):
    """A trained network in a file: released weights, or those of another experiment."""

    weights: str = Field(min_length=1, description="path of the file")
    sha256: str | None = Field(
        None,
        pattern=r"^[0-9a-f]{64}$",
        description="what the file must have, in lower case; null: anything",
    )
