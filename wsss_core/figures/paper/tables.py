"""The paper's tables with what was measured beside what was published."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from wsss_core.figures.paper.measured import Measured, Scores
from wsss_core.figures.paper.published import Published, PublishedRow, PublishedTable
from wsss_core.stages.evaluate import BACKGROUND

MEAN = "mIoU"


@dataclass(frozen=True)
class Cell:
    """A number of a table, in percent, and whatever is known of it.

    Attributes:
        published: as the paper has it.
        measured: what this experiment has.
        is_best: measured, and better than all other rows by more than the choice of images
            explains.
        comparable: whether both are of the same data.
    """

    published: float | None = None
    measured: Measured | None = None
    is_best: bool = False
    comparable: bool = True

    @property
    def difference(self) -> float | None:
        """Measured less published, where both are of the same data."""
        if self.published is None or self.measured is None or not self.comparable:
            return None
        return self.measured.mean - self.published


@dataclass(frozen=True)
class Row:
    """A row: its labels, its cells by column, and the command that would fill them."""

    labels: tuple[str, ...]
    reference: str
    added: bool
    cells: tuple[Cell, ...]
    command: str


@dataclass(frozen=True)
class Table:
    """A table that is ready to be written.

    Attributes:
        numeral: as the paper writes its number.
        title: what it shows.
        header: titles of the columns of labels.
        columns: titles of the columns of cells.
        by_class: whether they are classes: too many to have several numbers side by side.
        rows: from above.
        notes: what a reader has to know.
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
    """Puts measured beside published scores.

    Args:
        published: the paper's tables.
        number: which one, from 1.
        scores: of the table's stage.
        commands: by method, what has to be run to fill its row.
        test_miou: by method, percent that VOC's server gave for its test images.
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
            f"Measured on other data than the paper's, of the classes {names}: "
            "no differences are shown."
        )
    if table.stage != "segmentation_crf":
        yield (
            "CAM and random walk use the true image labels, on val too; CAM is taken at the "
            "background threshold that is best on each split, and intervals keep that threshold."
        )
    yield (
        "Brackets: 95 % interval of a bootstrap over the images. Bold: better than every other "
        "measured row, each by more than its paired interval."
    )
    if any(row.added for row in table.rows):
        yield "* This row is not in the paper."
    if "test" in table.splits:
        yield "Test: as VOC's server scored it; the key paper.test_miou of the config."
