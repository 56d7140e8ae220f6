"""Reads the tables of the paper, as they were printed, from published.yaml."""

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
        labels: Its cells in the columns of labels.
        method: The method of the config to compare with; None: a row from the literature.
        reference: Key in `references`.
        added: Whether the row is not in the paper.
        published: Scores in percent, one per column; empty for an added row.
    """

    model_config = ConfigDict(str_min_length=0)  # labels may be empty

    labels: tuple[str, ...]
    method: str | None = None
    reference: int | str | None = None
    added: bool = False
    published: tuple[float, ...] = ()


class PublishedTable(ConfigModel):
    """One table.

    Attributes:
        number: Number of the table, from 1.
        title: Title of the table.
        stage: The stage of its scores, as in summary.csv.
        splits: Its columns of mean IoU. "test": scores of VOC's server.
        by_class: Whether its columns are instead the IoU of each class on its only split,
            background first, and the mean last.
        header: Titles of the columns of labels.
        rows: The rows in the order of the paper, added rows last.
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
        """The number of the table as a Roman numeral."""
        return ROMAN[self.number - 1]

    @property
    def methods(self) -> list[str]:
        """The methods of the config that have a row, each once."""
        return list(dict.fromkeys(row.method for row in self.rows if row.method))


class Published(ConfigModel):
    """The content of published.yaml.

    Attributes:
        source: Reference of the paper.
        references: References of the rows from the literature.
        classes: For each class of VOC, background first: its short name in the paper.
        tables: Tables I to IX.
    """

    source: str
    references: dict[int | str, str]
    classes: dict[str, str]
    tables: tuple[PublishedTable, ...]


def read_published() -> Published:
    """Reads published.yaml."""
    return Published.model_validate(yaml.safe_load(PUBLISHED.read_text(encoding="utf-8")))
