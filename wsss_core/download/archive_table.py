"""What is known about published archives: read from a table, never from code."""

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
        name: Its name in the table and the config.
        file: Name that it is kept under.
        size: Bytes.
        checksum: Algorithm (one of hashlib) and digest in hex, with a colon between them.
        urls: Where it can be had, tried in turn.
        root: Directory in the archive that is needed.
        members: How many files a complete archive has of each pattern below root, whose last part
            only may have wildcards; None: at least one. Nothing else is unpacked.
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
