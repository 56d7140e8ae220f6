"""Config of the paper's tables."""

from typing import Annotated

from pydantic import Field

from wsss_core.config.base import ConfigModel


class PaperConfig(ConfigModel):
    """What the tables need and no stage of the workflow can measure."""

    test_miou: dict[str, Annotated[float, Field(ge=0, le=100)]] = Field(
        {}, description="by method, mIoU in percent that VOC's server gave for its test images"
    )
