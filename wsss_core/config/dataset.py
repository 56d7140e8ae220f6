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
    """The dataset that the generator draws.

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
    """Where PASCAL VOC 2012 and SBD are: "archive" (as section `archives` obtains them) or a path.

    Attributes:
        devkit: Images for training and validation: an unpacked VOC2012, or a folder above it.
        test: The test images, likewise; None: there are none.
        sbd: Unpacked SBD, for the masks of images that have none in VOC; None: they have no masks.
        id_lists: Folder with <split>.txt files that replace the official lists; None: official.
    """

    devkit: PathText = ARCHIVE
    test: PathText | None = None
    sbd: PathText | None = None
    id_lists: PathText | None = None


class DatasetConfig(ConfigModel):
    """The dataset and where it comes from.

    Attributes:
        name: The prepared dataset goes to results/<name>/data. All experiments on it share it.
        source: "voc": PASCAL VOC 2012; "folder": your images and labels, in any form that
            docs/your-data.md describes; "demo": drawn by a generator.
        classes: Use only these classes, in this order, and leave out images that show others.
            None: all.
        longest_side: Images with a longer side than this many pixels are shrunk to it, with their
            masks. None: never.
        voc: Where VOC is, for source "voc".
        folder: Path of the folder, for source "folder".
        demo: What the generator draws, for source "demo".
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
            raise ValueError("source is 'folder', but folder is not set; expected a path")
        return self

    @field_validator("classes")
    @classmethod
    def _classes_are_distinct(cls, classes: tuple[str, ...] | None) -> tuple[str, ...] | None:
        repeated = [name for name, count in Counter(classes).items() if count > 1]
        if repeated:
            raise ValueError(f"has {repeated[0]!r} more than once; expected each class once")
        return classes
