"""Config that all methods share, whatever their kind."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal, NamedTuple, Self

from pydantic import ConfigDict, Field, model_validator

from wsss_core.config.base import ConfigModel
from wsss_core.config.init_file import InitFile, NameOrFile
from wsss_core.config.numbers import Epochs

# A kind of ours, or the dotted path of a module of the user's.
KIND = r"^[A-Za-z_][A-Za-z0-9_]*(\.[A-Za-z_][A-Za-z0-9_]*)*$"


class BoundaryInputs(NamedTuple):
    """Segmentations that a method learns boundaries from, and edges of the photographs."""

    teacher: str  # method whose segmentations are taken
    stage: Literal["segmentation", "segmentation_crf"] | None  # which; None: the last there is
    canny: bool  # whether Canny edges are read too
    map_radius: int | None  # half width in pixels, where boundary maps are resized, not label maps
    key: str  # that names the teacher


class MethodConfig(ConfigModel):
    """One way to train the classifier. A kind adds keys of its own.

    Ablations are methods too.
    """

    kind: str = Field(
        pattern=KIND,
        description=(
            "how it is trained: 'cam', 'seam', 'smoothing' (wsss_core/methods), or the dotted path "
            "of a module of yours beside the config"
        ),
    )
    init: NameOrFile[str] = Field(
        "imagenet", description="'imagenet', the method it starts from, or a file"
    )
    epochs: Epochs = Field(description="0, to take the weights as they are, only after a file")
    schedule_epochs: int | None = Field(
        None,
        ge=1,
        le=100_000,
        description="epochs after which the learning rate would be zero; null: after the last",
    )
    output_stride: Literal[8, 16, 32] | None = Field(
        None, description="instead of the backbone's own; same weights, finer or coarser map"
    )

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

    def feature_stages(self) -> dict[str, tuple[int, ...]]:
        """Backbone stages F_m that the method reads, by the key that names them."""
        return {}

    def boundary_inputs(self) -> BoundaryInputs | None:
        """What the method learns boundaries from; None: nothing."""
        return None

    def check_crop(self, crop_size: int) -> None:
        """Raises ValueError where the method cannot work on crops of this side in pixels."""


class MethodEntry(MethodConfig):
    """A method as a config file has it: the keys of its kind are not checked yet."""

    model_config = ConfigDict(extra="allow")

    extends: str | None = Field(
        None, description="method whose values it takes, less those that it changes"
    )


class MethodPlan(ConfigModel):
    """What the workflow must know of a method whose keys have all been checked.

    Attributes:
        config: All its keys, with defaults filled in.
        init: What it starts from.
        boundaries: What it learns boundaries from, if anything.
        module: File of its kind: relative to the project, or the user's, absolute.
    """

    config: dict[str, Any]
    init: NameOrFile[str]
    boundaries: BoundaryInputs | None
    module: str


IMAGENET = "imagenet"


def references(plans: Mapping[str, MethodPlan], name: str) -> dict[str, str]:
    """Other methods that a method needs, by the key that names them."""
    plan = plans[name]
    found = {}
    if isinstance(plan.init, str) and plan.init != IMAGENET:
        found["init"] = plan.init
    if plan.boundaries is not None:
        found[plan.boundaries.key] = plan.boundaries.teacher
    return found
