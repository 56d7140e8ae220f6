"""Config keys that methods of all kinds share."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal, NamedTuple, Self

from pydantic import ConfigDict, Field, model_validator

from wsss_core.config.base import ConfigModel
from wsss_core.config.init_file import InitFile, NameOrFile
from wsss_core.config.numbers import Epochs

# The name of a kind of this package, or the dotted path of a user's module.
KIND = r"^[A-Za-z_][A-Za-z0-9_]*(\.[A-Za-z_][A-Za-z0-9_]*)*$"


class BoundaryInputs(NamedTuple):
    """Inputs of a method that learns boundaries: masks of another method, and Canny edges.

    Attributes:
        teacher: The method whose masks are used.
        stage: Which of its masks. None: those after the CRF if there is one.
        canny: Whether Canny edges are used too.
        map_radius: Half width of the boundary, in pixels, if boundary maps are resized. None: label
            maps are resized.
        key: The config key that names the teacher.
    """

    teacher: str
    stage: Literal["segmentation", "segmentation_crf"] | None
    canny: bool
    map_radius: int | None
    key: str


class MethodConfig(ConfigModel):
    """A way to train the classifier. Each kind adds its own keys. Ablations are methods too."""

    kind: str = Field(
        pattern=KIND,
        description=(
            "training code: 'cam', 'seam' or 'smoothing' (wsss_core/methods), or the dotted path "
            "of a Python module of yours beside the config"
        ),
    )
    init: NameOrFile[str] = Field(
        "imagenet",
        description=(
            "initial weights: 'imagenet' (the backbone's weights), the name of the method to start "
            "from, or a file"
        ),
    )
    epochs: Epochs = Field(
        description="passes over train_aug; 0: use the weights of a file as they are"
    )
    schedule_epochs: int | None = Field(
        None,
        ge=1,
        le=100_000,
        description="number of epochs after which the learning rate reaches zero; null: `epochs`",
    )
    output_stride: Literal[8, 16, 32] | None = Field(
        None, description="replaces the output stride of classifier.backbone; null: does not"
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
        """Returns the backbone stages F_m that the method reads, by config key."""
        return {}

    def boundary_inputs(self) -> BoundaryInputs | None:
        """Returns the inputs from which the method learns boundaries; None: it learns none."""
        return None

    def check_crop(self, crop_size: int) -> None:
        """Raises ValueError if the method cannot work on crops with this side, in pixels."""


class MethodEntry(MethodConfig):
    """A method as it is in a config file; the keys of its kind are not checked yet."""

    model_config = ConfigDict(extra="allow")

    extends: str | None = Field(
        None, description="takes all values of this method that are not given here"
    )


class MethodPlan(ConfigModel):
    """What the workflow needs to know about a method. All its keys have been checked.

    Attributes:
        config: All its keys, with defaults filled in.
        init: Its initial weights.
        boundaries: The inputs from which it learns boundaries; None: it learns none.
        module: File of its kind: relative to the project, or absolute for a user's module.
    """

    config: dict[str, Any]
    init: NameOrFile[str]
    boundaries: BoundaryInputs | None
    module: str


IMAGENET = "imagenet"


def references(plans: Mapping[str, MethodPlan], name: str) -> dict[str, str]:
    """Returns the other methods that a method needs, by the config key that names them."""
    plan = plans[name]
    found = {}
    if isinstance(plan.init, str) and plan.init != IMAGENET:
        found["init"] = plan.init
    if plan.boundaries is not None:
        found[plan.boundaries.key] = plan.boundaries.teacher
    return found
