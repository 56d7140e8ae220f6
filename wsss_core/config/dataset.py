"""Config section `dataset`: where the images come from."""

from __future__ import annotations

from collections import Counter
from typing import Annotated, Literal

from pydantic import Field, field_validator, model_validator

from wsss_core.config.base import ConfigModel
from wsss_core.config.numbers import Side
from wsss_core.config.paths import PathText

ARCHIVE = "archive"


FolderName = Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9_.-]*$", max_length=100)]


class DemoConfig(ConfigModel):
    """The drawn dataset.

    Attributes:
        seed: Another seed draws other images.
        num_train: Images in train_aug.
        num_val: Images in val.
        size: Longer side of an image, in pixels.
    """

    seed: Annotated[int, Field(ge=0)] = 0
    num_train: Annotated[int, Field(ge=6, le=1_000_000)] = 300
    num_val: Annotated[int, Field(ge=1, le=1_000_000)] = 80
    size: Annotated[int, Field(ge=64, le=1024)] = 160


class VocConfig(ConfigModel):
    """PASCAL VOC 2012 and SBD: what section `archives` obtains ("archive"), or paths.

    Attributes:
        devkit: Images for training and validation: an unpacked VOC2012, or a directory above it.
        test: The same with the test images; None: none.
        sbd: Unpacked SBD, for masks of images that have none in VOC; None: those have none.
        id_lists: Directory of <split>.txt in place of the official lists.
    """

    devkit: PathText = ARCHIVE
    test: PathText | None = None
    sbd: PathText | None = None
    id_lists: PathText | None = None


class DatasetConfig(ConfigModel):
    """The dataset and where it comes from.

    Attributes:
        name: Of the folder that all experiments on it share: results/<name>/data.
        source: "voc", PASCAL VOC 2012; "folder", a directory in any of the accepted forms; or
            "demo", drawn by a generator.
        classes: Those to keep, in this order; images that show others are left out. None: all.
        longest_side: Larger images, and masks with them, are shrunk to this, in pixels, when they
            are placed; None: all are as they come.
        voc: Where VOC is, for the source "voc".
        folder: The directory, for the source "folder".
        demo: What is drawn, for the source "demo".
    """

    name: FolderName
    source: Literal["voc", "folder", "demo"]
    classes: tuple[str, ...] | None = Field(None, min_length=1)
    longest_side: Side | None = 1024
    voc: VocConfig = VocConfig()
    folder: PathText | None = None
    demo: DemoConfig = DemoConfig()

    @model_validator(mode="after")
    def _folder_is_named(self) -> DatasetConfig:
        if self.source == "folder" and not self.folder:
            raise ValueError("source is 'folder', so folder must name the directory of the dataset")
        return self

    @field_validator("classes")
    @classmethod
    def _classes_are_distinct(cls, classes: tuple[str, ...] | None) -> tuple[str, ...] | None:
        repeated = [name for name, count in Counter(classes).items() if count > 1]
        if repeated:
            raise ValueError(f"has {repeated[0]!r} more than once; expected each class once")
        return classes
