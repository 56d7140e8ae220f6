"""Config of the inference of the segmentation network: scales, flip and CRF."""

from pydantic import Field

from wsss_core.config.base import ConfigModel
from wsss_core.config.crf import CrfConfig
from wsss_core.config.numbers import Scale


class SegmentConfig(ConfigModel):
    """Test-time scales and flip, and the CRF that follows."""

    scales: tuple[Scale, ...] = Field(
        (0.5, 0.75, 1.0, 1.25, 1.5, 1.75),
        min_length=1,
        description="factors on the image's size; the logits of all are averaged",
    )
    flip: bool = Field(default=True, description="average with the output for mirrored images")
    crf: CrfConfig | None = Field(None, description="the dense CRF after the network; null: none")
