"""Config of the segmentation network and its training on pseudo labels."""

from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from wsss_core.config.backbone import BackboneConfig
from wsss_core.config.init_file import InitFile, NameOrFile
from wsss_core.config.numbers import SMALLEST_SCALE, BatchSize, Radius, Scale, Side
from wsss_core.config.training import ColorJitter, OptimConfig, TrainingConfig, check_range


class SegmenterConfig(TrainingConfig):
    """DeepLab on any backbone. The head decides the version: 1, 2 (Chen et al., TPAMI 2018), 3."""

    backbone: BackboneConfig
    init: NameOrFile[Literal["imagenet", "classifier", "coco"]] = Field(
        "imagenet",
        description=(
            "initial weights: 'imagenet': those of the backbone; 'classifier': the backbone of the "
            "method's trained classifier, if it is the same network; 'coco': torchvision's "
            "DeepLabv3, which was trained on COCO masks; or a file of that network or of a "
            "segmenter of this project"
        ),
    )
    extra_supervision: str | None = Field(
        None,
        min_length=1,
        description=(
            "what the initial weights learnt from besides ImageNet and image-level labels, such as "
            "'COCO masks'; all scores that follow from it are marked"
        ),
    )
    head: Literal["aspp", "large_fov", "deeplabv3"] = Field(
        "aspp",
        description=(
            "'aspp': DeepLab-v2; 'large_fov': DeepLab-v1, as SEAM's authors use it; 'deeplabv3': "
            "torchvision's"
        ),
    )
    rates: tuple[Radius, ...] = Field(
        (6, 12, 18, 24),
        min_length=1,
        description=(
            "dilations of the parallel 3x3 convolutions of the head, in cells; 'large_fov' has one"
        ),
    )
    bn_momentum: float = Field(
        0.1,
        gt=0,
        le=1,
        description=(
            "momentum of the BatchNorms in the head: the weight of each new batch in the running "
            "statistics; 'aspp' has none"
        ),
    )
    multi_scale: tuple[Annotated[float, Field(ge=SMALLEST_SCALE, lt=1)], ...] = Field(
        (),
        description=(
            "more scales, as factors on the image's size, at which the network sees each image in "
            "training and in inference; the highest logit of all scales counts (MSC of DeepLab-v2)"
        ),
    )
    crop_size: Side = 320
    scale: tuple[Scale, Scale] = Field(
        (0.5, 1.5), description="range of the random factor on the size of the image"
    )
    color_jitter: ColorJitter | None = None
    batch_size: BatchSize = Field(10, description="effective batch size, over all devices")
    optim: OptimConfig = OptimConfig(lr=2.5e-4, momentum=0.9)

    @model_validator(mode="after")
    def _scale_is_a_range(self) -> Self:
        check_range("scale", self.scale)
        return self

    @model_validator(mode="after")
    def _is_trained(self) -> Self:
        if not self.epochs and not isinstance(self.init, InitFile):
            raise ValueError("epochs is 0; expected at least 1 unless init is a weights file")
        return self

    @model_validator(mode="after")
    def _head_can_be_built(self) -> Self:
        if self.head == "large_fov" and len(self.rates) > 1:
            raise ValueError(f"rates is {list(self.rates)}; expected one dilation for large_fov")
        if self.head == "deeplabv3" and self.batch_size == 1:
            # Its image pooling has a BatchNorm over one cell per image, which needs two images.
            raise ValueError("batch_size is 1; expected at least 2 for deeplabv3")
        return self

    @model_validator(mode="after")
    def _masks_of_coco_are_told(self) -> Self:
        if self.init == "coco" and self.head != "deeplabv3":
            raise ValueError(f"head is '{self.head}'; expected 'deeplabv3', as init is 'coco'")
        if self.init == "coco" and self.extra_supervision is None:
            raise ValueError(
                "extra_supervision is null; expected 'COCO masks' or the like, as init is 'coco'"
            )
        return self
