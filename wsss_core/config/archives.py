"""Config section `archives`: where published datasets are downloaded from, and stored."""

from __future__ import annotations

from typing import Annotated, Any

from pydantic import BeforeValidator

from wsss_core.config.base import ConfigModel
from wsss_core.config.paths import PathText, plain_path


def _as_list(value: Any) -> Any:
    """Turns a single source into a list, and null into the addresses of archives.yaml."""
    sources = ["download"] if value is None else [value] if isinstance(value, str) else value
    is_list = isinstance(sources, (list, tuple)) and len(sources) > 0
    if not is_list or not all(isinstance(source, str) and source for source in sources):
        raise ValueError(
            f"got {value!r}; expected 'download', a file, an address, or a list of these"
        )
    return tuple(plain_path(source) for source in sources)


Sources = Annotated[
    tuple[str, ...], BeforeValidator(_as_list, json_schema_input_type=str | list[str] | None)
]


class ArchivesConfig(ConfigModel):
    """Sources of each archive, by its name in wsss_core/download/archives.yaml.

    A source is 'download' (the addresses in that table), a path or an address. A list gives several
    sources: files are tried first, then addresses, each in the given order.

    Attributes:
        directory: Folder for the downloads and the unpacked archives of all experiments.
        voc_trainval: PASCAL VOC 2012, training and validation images.
        voc_test: PASCAL VOC 2012, test images.
        sbd: Semantic Boundaries Dataset.
    """

    directory: PathText = "data/archives"
    voc_trainval: Sources = ("download",)
    voc_test: Sources = ("download",)
    sbd: Sources = ("download",)
