"""Config section `dataset`: where the images come from."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field, model_validator

from wsss_core.config.base import Strict


class DemoConfig(Strict):
    """The drawn dataset.

    Attributes:
        seed: Another seed draws other images.
        num_train: Images in train_aug.
        num_val: Images in val.
        size: Longer side of an image, in pixels.
    """

    seed: Annotated[int, Field(ge=0)] = 0
    num_train: Annotated[int, Field(ge=6)] = 300
    num_val: Annotated[int, Field(ge=1)] = 80
    size: Annotated[int, Field(ge=64, le=1024)] = 160


class DatasetConfig(Strict):
    """The dataset and where it comes from.

    Attributes:
        name: Name of its results directory.
        source: "folder", a directory in the dataset layout, or "demo", drawn by a generator.
        root: The directory, for the source "folder".
        demo: What is drawn, for the source "demo".
    """

    name: Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9_.-]*$")]
    source: Literal["folder", "demo"]
    root: str | None = None
    demo: DemoConfig = DemoConfig()

    @model_validator(mode="after")
    def _folder_has_root(self) -> DatasetConfig:
        if self.source == "folder" and not self.root:
            raise ValueError("source is 'folder', so root must name the directory of the dataset")
        return self
