"""Config of weights that come from outside of the experiment."""

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
# torchvision's DeepLabv3, which a segmenter's init "coco" stands for
COCO_ADDRESS = "https://download.pytorch.org/models/deeplabv3_resnet101_coco-586e9e4e.pth"
DOWNLOADS = Path("data/weights")  # what addresses and timm have, relative to where it runs

INIT_TAGS = ("[name]", "[file]")  # pydantic puts one of them after the key in a mistake's place

Name = TypeVar("Name")


class InitFile(ConfigModel):
    """A trained network in a file: released weights, or those of another experiment."""

    weights: PathText = Field(description="path of the file")
    sha256: str | None = Field(
        None,
        pattern=SHA256,
        description="what the file must have, in lower case; null: anything",
    )


def is_address(weights: str) -> bool:
    """Whether weights are downloaded from an address that the config gives."""
    return weights.startswith(("https://", "http://"))


def local_file(weights: str) -> Path:
    """The path that the config gives, or the one at which a download of its address lies."""
    return DOWNLOADS / Path(urlsplit(weights).path).name if is_address(weights) else Path(weights)


def _init_tag(value: Any) -> str:
    return INIT_TAGS[isinstance(value, (Mapping, InitFile))]


NameOrFile = Annotated[
    Annotated[Name, Tag(INIT_TAGS[0])] | Annotated[InitFile, Tag(INIT_TAGS[1])],
    Discriminator(_init_tag),
]
