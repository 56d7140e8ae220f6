"""Config of initial weights that come from outside the experiment."""

from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, TypeVar
from urllib.parse import urlsplit

from pydantic import Discriminator, Field, Tag

from wsss_core.config.base import ConfigModel
from wsss_core.config.paths import PathText

SHA256 = r"^[0-9a-f]{64}$"
TIMM = "timm"
PACKAGE = "package:"
# torchvision's DeepLabv3: the weights for `segmenter.init: coco`
COCO_ADDRESS = "https://download.pytorch.org/models/deeplabv3_resnet101_coco-586e9e4e.pth"
DOWNLOADS = Path("data/weights")  # downloaded weights, relative to the working directory

INIT_TAGS = ("[name]", "[file]")  # pydantic puts one of them after the key in an error's location

Name = TypeVar("Name")


class InitFile(ConfigModel):
    """A file with a trained network: released weights, or those of another experiment."""

    weights: PathText = Field(description="path of the weights file")
    sha256: str | None = Field(
        None,
        pattern=SHA256,
        description="SHA-256 that the file must have, in lower case; null: not checked",
    )


def is_address(weights: str) -> bool:
    """Says whether the config gives the weights as an address to download from."""
    return weights.startswith(("https://", "http://"))


def local_file(weights: str) -> Path:
    """Returns the path of the weights: the given path, or where the given address is saved."""
    return DOWNLOADS / Path(urlsplit(weights).path).name if is_address(weights) else Path(weights)


def _init_tag(value: Any) -> str:
    return INIT_TAGS[isinstance(value, (Mapping, InitFile))]


NameOrFile = Annotated[
    Annotated[Name, Tag(INIT_TAGS[0])] | Annotated[InitFile, Tag(INIT_TAGS[1])],
    Discriminator(_init_tag),
]
