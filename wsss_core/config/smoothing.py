"""Config of the smoothing branch."""

from typing import Literal, Self

from pydantic import Field, model_validator

from wsss_core.config.base import ConfigModel
from wsss_core.config.numbers import Channels, Radius, Stage, Weight


class BranchConfig(ConfigModel):
    """Smoothing branch: boundary head (SBDM), boundary loss, smoothness loss (paper, III-A)."""

    boundaries_from: str = Field(
        description="the method whose masks give the semantic boundaries S"
    )
    boundaries_stage: Literal["segmentation", "segmentation_crf"] | None = Field(
        None,
        description=(
            "which of its masks: 'segmentation': those of the network; 'segmentation_crf': those "
            "after the CRF; null: those after the CRF if segment.crf is set"
        ),
    )
    features: tuple[Stage, ...] = Field(
        (1, 3, 5, 6), min_length=1, description="backbone stages F_m that the boundary head reads"
    )
    canny: bool = Field(
        default=True, description="the boundary head also gets the Canny edges of the image"
    )
    head: Literal["paper", "released"] = Field(
        "paper", description="layers of the boundary head: as in eq. 1 of the paper, or in its code"
    )
    channels: Channels = Field(
        32, description="the head reduces each F_m to this many channels (M)"
    )
    lr_group: Literal["head", "backbone"] = Field(
        "head",
        description="learning rate of the boundary head: that of new layers, or of the backbone",
    )
    stride: Literal[1, 2, 4, 8] = Field(
        1, description="head and losses work at the size of the crop divided by this"
    )
    boundary_radius: Radius = Field(
        1,
        description=(
            "half width of the boundary band, in pixels of the map on which it is computed (see "
            "boundary_resize)"
        ),
    )
    boundary_resize: Literal["labels", "maps"] = Field(
        "labels",
        description=(
            "what is resized to the size of each loss: 'labels': the label map, and the boundary "
            "is computed after that; 'maps': the boundary map, computed at the size of the image, "
            "which makes it soft (released code)"
        ),
    )
    boundary_loss: Literal["logits", "probabilities"] = Field(
        "logits",
        description=(
            "cross-entropy of 'logits', or of 'probabilities' (released code), which has no "
            "gradient where the sigmoid rounds to 0 or 1"
        ),
    )
    lambda_boundary: Weight = Field(0.05, description="weight of the boundary loss")
    lambda_smoothness: Weight = Field(1.0, description="weight of the smoothness loss")
    score: Literal["sigmoid", "normalized"] = Field(
        "sigmoid",
        description=(
            "what must be smooth: 'sigmoid': the sigmoid of the CAM; 'normalized': its positive "
            "part divided by its maximum in the crop, with no gradient through the maximum"
        ),
    )
    smoothed_cam: Literal["raw", "refined", "both"] = Field(
        "raw",
        description=(
            "which CAM must be smooth: 'raw': that of the classifier (paper); 'refined': that of "
            "SEAM's pixel correlation module (PCM), which is the one that is scored, and whose "
            "loss trains only the PCM; or 'both'"
        ),
    )
    operators: Literal["text", "released"] = Field(
        "released",
        description=(
            "how smoothness is measured: 'text': differences of neighbours of first and second "
            "order, with weights 1 and 10, relaxed by the same derivative of the boundary; "
            "'released': Sobel responses and one Laplacian, with weights 10 and 1, relaxed by the "
            "boundary itself, with zeros around each crop"
        ),
    )
    order_weights: tuple[Weight, Weight] | None = Field(
        None, description="weights of first and second derivatives; null: those of `operators`"
    )
    padding: Literal["replicate", "zeros"] | None = Field(
        None,
        description=(
            "padding of maps before derivatives; zeros add an edge around each crop; null: that of "
            "`operators`"
        ),
    )
    mean_over: Literal["all", "present"] = Field(
        "all",
        description=(
            "the smoothness loss is a mean over 'all' classes and the background (paper), which "
            "makes it weaker the more classes there are, or over those 'present' in the image"
        ),
    )
    without_boundary: Literal["smooth", "leave"] = Field(
        "leave",
        description=(
            "maps of classes that are in the image's label but have no boundary in the crop, so "
            "nothing relaxes their loss: 'smooth': they count like others (paper); 'leave': their "
            "loss is 0"
        ),
    )
    edge_alpha: Weight = Field(10.0, description="how strongly a boundary relaxes the smoothness")
    reference_size: int | None = Field(
        None,
        ge=1,
        le=8192,
        description=(
            "derivatives are per 1/reference_size of the side of the crop, so a weight means the "
            "same at any resolution; null: per pixel, as in the paper"
        ),
    )

    @model_validator(mode="after")
    def _refined_cams_are_no_logits(self) -> Self:
        if self.smoothed_cam != "raw" and self.score == "sigmoid":
            raise ValueError(
                f"score is 'sigmoid'; expected 'normalized', as smoothed_cam is "
                f"'{self.smoothed_cam}': refined CAMs are no logits"
            )
        return self
