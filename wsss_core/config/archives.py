"""Config section `archives`: where downloads of published datasets come from and go to."""

from __future__ import annotations

from typing import Annotated, Any

from pydantic import BeforeValidator

from wsss_core.config.base import ConfigModel
from wsss_core.config.paths import PathText, plain_path


def _as_list(value: Any) -> Any:
    """One source is a list of one; none is the shipped ones."""
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
    """Archives by their name in wsss_core/download/archives.yaml.

    Each has sources, of which files are looked at first and addresses then tried in turn:
    'download' (the addresses in that table), a path, an address, or a list of these.

    Attributes:
        directory: Keeps downloads, and what is unpacked of them, for all experiments.
        voc_trainval: PASCAL VOC 2012, training and validation images.
        voc_test: Its test images.
        sbd: Semantic Boundaries Dataset.
    """

    directory: PathText = "data/archives"
    voc_trainval: Sources = ("download",)
    voc_test: Sources = ("download",)
    sbd: Sources = ("download",)
