"""Config of the smoothing branch."""

from typing import Literal, Self

from pydantic import Field, model_validator

from wsss_core.config.base import ConfigModel
from wsss_core.config.numbers import Channels, Radius, Stage, Weight


class BranchConfig(ConfigModel):
    """The smoothing branch: boundary head (SBDM) and smoothness loss (paper, section III-A)."""

    boundaries_from: str = Field(description="method whose segmentations give the boundaries S")
    boundaries_stage: Literal["segmentation", "segmentation_crf"] | None = Field(
        None,
        description=(
            "which of its segmentations: of the network, or after the CRF; null: after the CRF "
            "where segment.crf is set"
        ),
    )
    features: tuple[Stage, ...] = Field(
        (1, 3, 5, 6), min_length=1, description="backbone stages F_m that the boundary head reads"
    )
    canny: bool = Field(default=True, description="fuse Canny edges into the boundary head")
    head: Literal["paper", "released"] = Field(
        "paper", description="layers of the boundary head: the paper's eq. 1, or its code's"
    )
    channels: Channels = Field(32, description="channels M of each F_m inside the head")
    lr_group: Literal["head", "backbone"] = Field(
        "head", description="the boundary head learns like other new layers, or like pretrained"
    )
    stride: Literal[1, 2, 4, 8] = Field(
        1, description="head and smoothness loss work at the crop's size divided by this"
    )
    boundary_radius: Radius = Field(
        1,
        description=(
            "half width of the boundary band, in pixels of the resolution that boundaries are "
            "taken at, see boundary_resize"
        ),
    )
    boundary_resize: Literal["labels", "maps"] = Field(
        "labels",
        description=(
            "label maps are resized, and boundaries taken of them at the size of each loss; or "
            "boundary maps of the image's own size are resized, which makes them soft (released)"
        ),
    )
    boundary_loss: Literal["logits", "probabilities"] = Field(
        "logits",
        description=(
            "cross-entropy of logits; or of their sigmoid (released), which has no gradient where "
            "that is 0 or 1 in single precision"
        ),
    )
    lambda_boundary: Weight = Field(0.05, description="weight of the boundary loss")
    lambda_smoothness: Weight = Field(1.0, description="weight of the smoothness loss")
    score: Literal["sigmoid", "normalized"] = Field(
        "sigmoid",
        description=(
            "what is to be smooth: the sigmoid of the CAM; or its positive part divided by its "
            "maximum in the crop, which has no gradient"
        ),
    )
    smoothed_cam: Literal["raw", "refined", "both"] = Field(
        "raw",
        description=(
            "which CAM is to be smooth: the classifier's (paper); the one that SEAM's pixel "
            "correlation refines, which is scored, and trains the PCM alone; or both"
        ),
    )
    operators: Literal["text", "released"] = Field(
        "released",
        description=(
            "how smoothness is measured. text: differences of neighbours, weighted 1 and 10 by "
            "order, relaxed by the same derivative of the boundary. released: Sobel and Laplacian, "
            "weighted 10 and 1, relaxed by the boundary itself, zeros around each crop"
        ),
    )
    order_weights: tuple[Weight, Weight] | None = Field(
        None, description="weights of first and second derivatives, in place of the operators' own"
    )
    padding: Literal["replicate", "zeros"] | None = Field(
        None,
        description=(
            "of maps before derivatives, in place of the operators' own; zeros are an edge around "
            "each crop"
        ),
    )
    mean_over: Literal["all", "present"] = Field(
        "all",
        description=(
            "the smoothness loss is a mean over all classes and the background (paper), which "
            "weakens it where there are many; or over those present in the image"
        ),
    )
    without_boundary: Literal["smooth", "leave"] = Field(
        "leave",
        description=(
            "maps of classes that are in the image's label but have no boundary in the crop, where "
            "nothing relaxes the loss: smooth them, as the paper does; or leave them out"
        ),
    )
    edge_alpha: Weight = Field(10.0, description="how much a boundary relaxes the smoothness")
    reference_size: int | None = Field(
        None,
        ge=1,
        le=8192,
        description=(
            "derivatives are taken per 1/reference_size of the crop's side, so that a weight "
            "keeps its meaning at any resolution; null: per pixel, as in the paper"
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
