"""Facts about published archives, read from archives.yaml."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import yaml
from pydantic import Field

from wsss_core.config.base import ConfigModel

TABLE = Path(__file__).with_name("archives.yaml")


class Archive(ConfigModel):
    """A published archive.

    Attributes:
        name: Its name in the table and in the config.
        file: Name of the downloaded file.
        size: Size of the file in bytes.
        checksum: "<algorithm>:<hex digest>", with an algorithm of hashlib.
        urls: Addresses, tried in turn.
        root: The directory in the archive that is needed.
        members: The files to unpack: a pattern below root, and the number of files that a complete
            archive has of it (None: at least one). Only the last part of a pattern may have
            wildcards.
    """

    name: str
    file: str
    size: Annotated[int, Field(gt=0)]
    checksum: Annotated[str, Field(pattern=r"^[a-z0-9]+:[0-9a-f]+$")]
    urls: tuple[str, ...]
    root: str
    members: dict[str, int | None]


def read_archives(table: Path = TABLE) -> dict[str, Archive]:
    """Reads a table of archives.

    Args:
        table: YAML file.

    Returns:
        The archives by name.
    """
    rows = yaml.safe_load(table.read_text(encoding="utf-8"))
    return {name: Archive(name=name, **row) for name, row in rows.items()}
