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


class VocConfig(Strict):
    """PASCAL VOC 2012, unpacked.

    Attributes:
        devkit: VOC2012 of the trainval archive, or a directory above it.
        test: The same of the archive of test images, where there is one.
        masks: Masks of VOC alone, or also SBD's for images that have none there.
        sbd: The unpacked archive of SBD, for its masks.
        id_lists: Directory of <split>.txt in place of the official lists.
    """

    devkit: str | None = None
    test: str | None = None
    masks: Literal["voc", "sbd"] = "voc"
    sbd: str | None = None
    id_lists: str | None = None

    @model_validator(mode="after")
    def _sbd_is_read_for_its_masks(self) -> VocConfig:
        if self.sbd and self.masks != "sbd":
            raise ValueError(f"sbd is given, but masks is {self.masks!r}; expected masks: sbd")
        if self.masks == "sbd" and not self.sbd:
            raise ValueError("masks is 'sbd', so sbd must name unpacked SBD (benchmark_RELEASE)")
        return self


class DatasetConfig(Strict):
    """The dataset and where it comes from.

    Attributes:
        name: Name of its results directory.
        source: "voc", PASCAL VOC 2012; "folder", a directory in the dataset layout; or "demo",
            drawn by a generator.
        classes: Those to keep, in this order; images that show others are left out. None: all.
        voc: Where VOC is, for the source "voc".
        root: The directory, for the source "folder".
        demo: What is drawn, for the source "demo".
    """

    name: Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9_.-]*$")]
    source: Literal["voc", "folder", "demo"]
    classes: tuple[str, ...] | None = Field(None, min_length=1)
    voc: VocConfig = VocConfig()
    root: str | None = None
    demo: DemoConfig = DemoConfig()

    @model_validator(mode="after")
    def _source_is_named(self) -> DatasetConfig:
        if self.source == "folder" and not self.root:
            raise ValueError("source is 'folder', so root must name the directory of the dataset")
        if self.source == "voc" and not self.voc.devkit:
            raise ValueError("source is 'voc', so voc.devkit must name an unpacked VOC2012")
        return self

    @model_validator(mode="after")
    def _classes_are_distinct(self) -> DatasetConfig:
        classes = self.classes or ()
        if repeated := [name for name in dict.fromkeys(classes) if classes.count(name) > 1]:
            raise ValueError(f"classes has {repeated[0]!r} more than once; expected each once")
        return self
