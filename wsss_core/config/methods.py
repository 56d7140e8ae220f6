"""Config of the methods: which classifier is trained, from what, and with which branch."""

from typing import Literal, Self

from pydantic import Field, model_validator

from wsss_core.config.base import ConfigModel
from wsss_core.config.init_file import InitFile, NameOrFile


class SmoothingConfig(ConfigModel):
    """The smoothing branch: boundary head (SBDM) and smoothness loss (paper, section III-A)."""

    boundaries_from: str = Field(description="method whose segmentations give the boundaries S")
    features: tuple[int, ...] = Field(
        (1, 3, 5, 6), min_length=1, description="backbone stages F_m that the boundary head reads"
    )
    canny: bool = Field(default=True, description="fuse Canny edges into the boundary head")
    head: Literal["paper", "released"] = Field(
        "paper", description="layers of the boundary head: the paper's eq. 1, or its code's"
    )
    channels: int = Field(32, ge=1, description="channels M of each F_m inside the head")
    lr_group: Literal["head", "backbone"] = Field(
        "head", description="the boundary head learns like other new layers, or like pretrained"
    )
    stride: Literal[1, 2, 4, 8] = Field(
        1, description="head and smoothness loss work at the crop's size divided by this"
    )
    boundary_radius: int = Field(
        1,
        ge=1,
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
    lambda_boundary: float = Field(0.05, ge=0, description="weight of the boundary loss")
    lambda_smoothness: float = Field(1.0, ge=0, description="weight of the smoothness loss")
    order_weights: tuple[float, float] = Field(
        (1.0, 10.0), description="weights of first and second derivatives (paper: 1, lambda_S=10)"
    )
    derivatives: Literal["differences", "sobel"] = Field(
        "differences",
        description=(
            "differences of neighbours in each direction (paper); or Sobel responses and one "
            "Laplacian (released)"
        ),
    )
    padding: Literal["replicate", "zeros"] = Field(
        "replicate",
        description="of maps before derivatives; zeros (released) are an edge around each crop",
    )
    edge_weight: Literal["gradient", "value"] = Field(
        "gradient",
        description=(
            "what relaxes the smoothness at a pixel: the same derivative of the boundary (paper), "
            "or the boundary itself (released)"
        ),
    )
    mean_over: Literal["all", "present"] = Field(
        "all",
        description=(
            "the smoothness loss is a mean over all classes and the background (paper), which "
            "weakens it where there are many; or over those present in the image"
        ),
    )
    edge_alpha: float = Field(10.0, ge=0, description="how much a boundary relaxes the smoothness")
    reference_size: int | None = Field(
        None,
        ge=1,
        description=(
            "derivatives are taken per 1/reference_size of the crop's side, so that a weight "
            "keeps its meaning at any resolution; null: per pixel, as in the paper"
        ),
    )


class MethodConfig(ConfigModel):
    """One way to train the classifier. Ablations are methods too."""

    classifier: Literal["cam", "seam"]
    init: NameOrFile[str] = Field(
        "imagenet", description="'imagenet', the method it starts from, or a file"
    )
    epochs: int = Field(ge=0, description="0, to take the weights as they are, only after a file")
    schedule_epochs: int | None = Field(
        None,
        ge=1,
        description="epochs after which the learning rate would be zero; null: after the last",
    )
    output_stride: Literal[8, 16, 32] | None = Field(
        None, description="instead of the backbone's own; same weights, finer or coarser map"
    )
    smoothing: SmoothingConfig | None = None

    @model_validator(mode="after")
    def _is_trained(self) -> Self:
        if not self.epochs and not isinstance(self.init, InitFile):
            raise ValueError("epochs is 0; expected at least 1 unless init is a weights file")
        if self.schedule_epochs is not None and self.schedule_epochs < self.epochs:
            raise ValueError(
                f"schedule_epochs is {self.schedule_epochs}; expected at least the {self.epochs} "
                "epochs of training"
            )
        return self
