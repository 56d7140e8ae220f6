"""Config of segmentation: test-time scales and flip, and the CRF after them."""

from pydantic import Field

from wsss_core.config.base import ConfigModel
from wsss_core.config.crf import CrfConfig
from wsss_core.config.numbers import Scale


class SegmentConfig(ConfigModel):
    """How a trained segmentation network is applied to an image."""

    scales: tuple[Scale, ...] = Field(
        (0.5, 0.75, 1.0, 1.25, 1.5, 1.75),
        min_length=1,
        description="factors on the image's size; the logits of all are averaged",
    )
    flip: bool = Field(default=True, description="average each scale with its mirror image")
    crf: CrfConfig | None = Field(None, description="dense CRF on the result; null for none")
