"""The tables of the paper as they were printed: published.yaml."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

import yaml
from pydantic import ConfigDict

from wsss_core.config.base import ConfigModel

PUBLISHED = Path(__file__).with_name("published.yaml")
ROMAN = ("I", "II", "III", "IV", "V", "VI", "VII", "VIII", "IX")


class PublishedRow(ConfigModel):
    """One row.

    Attributes:
        labels: Its cells below the table's header.
        method: Of the config, which this row is compared with; None: of the literature.
        reference: Key of the list of references.
        added: Whether the paper has no such row.
        published: Percent, by the table's columns; empty for an added row.
    """

    model_config = ConfigDict(str_min_length=0)  # of labels

    labels: tuple[str, ...]
    method: str | None = None
    reference: int | str | None = None
    added: bool = False
    published: tuple[float, ...] = ()


class PublishedTable(ConfigModel):
    """One table.

    Attributes:
        number: From 1.
        title: What it shows.
        stage: Whose scores it has, as in summary.csv.
        splits: Its columns of mean IoU; test is what VOC's server says.
        by_class: Whether its columns are instead the IoU of each class on the only split,
            background first, and the mean last.
        header: Titles of the columns of labels.
        rows: In the paper's order, added ones last.
    """

    number: int
    title: str
    stage: Literal["cam", "random_walk", "segmentation_crf"]
    splits: tuple[Literal["train", "val", "test"], ...]
    by_class: bool = False
    header: tuple[str, ...]
    rows: tuple[PublishedRow, ...]

    @property
    def numeral(self) -> str:
        """The number as the paper writes it."""
        return ROMAN[self.number - 1]

    @property
    def methods(self) -> list[str]:
        """Methods of the config that have a row, each once."""
        return list(dict.fromkeys(row.method for row in self.rows if row.method))


class Published(ConfigModel):
    """All of published.yaml.

    Attributes:
        source: The paper.
        references: What literature rows refer to.
        classes: Each class of VOC, background first, and how the paper abbreviates it.
        tables: I to IX.
    """

    source: str
    references: dict[int | str, str]
    classes: dict[str, str]
    tables: tuple[PublishedTable, ...]


def read_published() -> Published:
    """Reads published.yaml."""
    return Published.model_validate(yaml.safe_load(PUBLISHED.read_text(encoding="utf-8")))
