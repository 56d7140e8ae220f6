"""Config of the paper's tables and figures."""

from typing import Annotated

from pydantic import Field

from wsss_core.config.base import ConfigModel


class FigureImages(ConfigModel):
    """Ids of the images that each figure shows, from the last scored split. Empty: a rule chooses.

    Attributes:
        figure_1: CAMs of cam, seam and sb.
        figure_3: CAMs of seam and sb.
        figure_4: CAMs of classes in which sb is worse than seam.
        figure_6: Final masks of sb.
    """

    figure_1: tuple[str, ...] = ()
    figure_3: tuple[str, ...] = ()
    figure_4: tuple[str, ...] = ()
    figure_6: tuple[str, ...] = ()


class PaperConfig(ConfigModel):
    """Values for tables and figures that no stage of the workflow can measure."""

    images: FigureImages = FigureImages()

    test_miou: dict[str, Annotated[float, Field(ge=0, le=100)]] = Field(
        {}, description="by method: mIoU in percent that VOC's server gave for its test images"
    )
