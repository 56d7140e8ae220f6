"""Builds the paper's tables with measured scores beside published scores."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from wsss_core.figures.paper.measured import Measured, Scores
from wsss_core.figures.paper.published import Published, PublishedRow, PublishedTable
from wsss_core.stages.evaluate import BACKGROUND

MEAN = "mIoU"


@dataclass(frozen=True)
class Cell:
    """A cell of a table, in percent.

    Attributes:
        published: The score in the paper.
        measured: The score in this experiment.
        is_best: Whether the measured score is better than those of all other rows by more than the
            choice of images explains.
        comparable: Whether both scores are on the same data.
    """

    published: float | None = None
    measured: Measured | None = None
    is_best: bool = False
    comparable: bool = True

    @property
    def difference(self) -> float | None:
        """Measured minus published; None if a score is missing or the data differ."""
        if self.published is None or self.measured is None or not self.comparable:
            return None
        return self.measured.mean - self.published


@dataclass(frozen=True)
class Row:
    """A row: labels, reference, cells by column, and the command that would fill them."""

    labels: tuple[str, ...]
    reference: str
    added: bool
    cells: tuple[Cell, ...]
    command: str


@dataclass(frozen=True)
class Table:
    """A table that is ready to be written.

    Attributes:
        numeral: Number of the table as a Roman numeral.
        title: Title of the table.
        header: Titles of the columns of labels.
        columns: Titles of the columns of cells.
        by_class: Whether the columns are classes. They are too many for several numbers per cell,
            so these numbers are written below each other.
        rows: The rows, from top to bottom.
        notes: Notes for the reader.
    """

    numeral: str
    title: str
    header: tuple[str, ...]
    columns: tuple[str, ...]
    by_class: bool
    rows: tuple[Row, ...]
    notes: tuple[str, ...]


def build_table(
    published: Published,
    number: int,
    scores: Scores,
    *,
    commands: Mapping[str, str],
    test_miou: Mapping[str, float],
) -> Table:
    """Builds a table with measured beside published scores.

    Args:
        published: The tables of the paper.
        number: Number of the table, from 1.
        scores: Measured scores of the table's stage.
        commands: For each method: the command that would fill its row.
        test_miou: For each method: mIoU in percent that VOC's server gave for its test images.
    """
    table = published.tables[number - 1]
    is_same_data = not scores.classes or set(scores.classes) == set(published.classes)
    classes = tuple(published.classes) if is_same_data else scores.classes
    titles = {name: name for name in classes} | published.classes
    columns = [*classes, MEAN] if table.by_class else list(table.splits)
    rows = [
        Row(
            labels=row.labels,
            reference="" if row.reference is None else published.references[row.reference],
            added=row.added,
            cells=tuple(
                _cells(table, row, columns, scores, is_same_data=is_same_data, test_miou=test_miou)
            ),
            command=_command(table, row, scores, commands),
        )
        for row in table.rows
        if is_same_data or row.method or not table.by_class
    ]
    return Table(
        numeral=table.numeral,
        title=table.title,
        header=table.header,
        columns=tuple(titles.get(name, name) for name in columns)
        if table.by_class
        else tuple(split.capitalize() for split in table.splits),
        by_class=table.by_class,
        rows=tuple(rows),
        notes=tuple(_notes(table, scores, is_same_data=is_same_data)),
    )


def _cells(
    table: PublishedTable,
    row: PublishedRow,
    columns: Sequence[str],
    scores: Scores,
    *,
    is_same_data: bool,
    test_miou: Mapping[str, float],
) -> Iterator[Cell]:
    for index, column in enumerate(columns):
        has_published = bool(row.published) and (is_same_data or not table.by_class)
        split = table.splits[0] if table.by_class else column
        measured = scores.measured.get((row.method, split)) if row.method else None
        if column == "test" and row.method is not None and row.method in test_miou:
            measured = Measured(test_miou[row.method], None, 0, None, None, {})
        elif table.by_class and column != MEAN and measured is not None:
            measured = Measured(
                measured.ious[column], None, measured.seeds, None, None, measured.ious
            )
        yield Cell(
            published=row.published[index] if has_published else None,
            measured=measured,
            comparable=is_same_data,
            is_best=column in (*table.splits, MEAN)
            and row.method is not None
            and scores.is_best(split, row.method, table.methods),
        )


def _command(
    table: PublishedTable, row: PublishedRow, scores: Scores, commands: Mapping[str, str]
) -> str:
    if row.method is None or any(method == row.method for method, _ in scores.measured):
        return ""
    return commands.get(row.method, "")


def _notes(table: PublishedTable, scores: Scores, *, is_same_data: bool) -> Iterator[str]:
    if not is_same_data:
        names = ", ".join(name for name in scores.classes if name != BACKGROUND)
        yield (
            f"Measured on other data than the paper's, with the classes {names}. So no differences "
            "are shown."
        )
    if table.stage != "segmentation_crf":
        yield (
            "CAM and random walk use the true image labels, also on val. The score of the CAM is "
            "at the background threshold that is best on each split; intervals keep it."
        )
    yield (
        "Brackets: 95 % interval of a bootstrap over the images. Bold: better than each other "
        "measured row, and the 95 % interval of the difference does not contain 0."
    )
    if any(row.added for row in table.rows):
        yield "* This row is not in the paper."
    if "test" in table.splits:
        yield "Test: scores of VOC's server, from the config key paper.test_miou."
