"""Config of weights that come from outside of the experiment."""

from collections.abc import Mapping
from typing import Annotated, Any, TypeVar

from pydantic import Discriminator, Field, Tag

from wsss_core.config.base import ConfigModel

SHA256 = r"^[0-9a-f]{64}$"

INIT_TAGS = ("[name]", "[file]")  # pydantic puts one of them after the key in a mistake's place

Name = TypeVar("Name")


class InitFile(ConfigModel):
    """A trained network in a file: released weights, or those of another experiment."""

    weights: str = Field(min_length=1, description="path of the file")
    sha256: str | None = Field(
        None,
        pattern=SHA256,
        description="what the file must have, in lower case; null: anything",
    )


def _init_tag(value: Any) -> str:
    return INIT_TAGS[isinstance(value, (Mapping, InitFile))]


NameOrFile = Annotated[
    Annotated[Name, Tag(INIT_TAGS[0])] | Annotated[InitFile, Tag(INIT_TAGS[1])],
    Discriminator(_init_tag),
]
