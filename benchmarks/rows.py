"""Results: one row for each benchmark, as CSV and as a table for the eye."""

from __future__ import annotations

import csv
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

COLUMNS = ("name", "ours", "usual", "unit", "ratio", "target", "device")


@dataclass(frozen=True)
class Row:
    """One measurement.

    Attributes:
        name: Of what was measured.
        ours: Our figure; less is better, unless the target says "at least".
        usual: The same of the usual way; None where there is nothing to compare with.
        unit: Of both.
        target: What is to be reached: a ratio ("50x") or a bound of ours ("<= 15", ">= 0.75").
        device: What it was measured on.
    """

    name: str
    ours: float
    usual: float | None
    unit: str
    target: str
    device: str

    @property
    def ratio(self) -> float | None:
        """How many times the usual way's figure is ours; larger is better."""
        return None if self.usual is None else self.usual / self.ours

    @property
    def is_met(self) -> bool:
        """Whether the target is reached."""
        if self.target.endswith("x"):
            return self.ratio is not None and self.ratio >= float(self.target[:-1])
        sign, bound = self.target.split()
        return self.ours <= float(bound) if sign == "<=" else self.ours >= float(bound)

    def cells(self) -> list[str]:
        """Its fields as text, in the order of COLUMNS."""
        numbers = [self.ours, self.usual, self.ratio]
        ours, usual, ratio = ("" if number is None else f"{number:.4g}" for number in numbers)
        return [self.name, ours, usual, self.unit, ratio, self.target, self.device]


def write_rows(path: Path, rows: Sequence[Row]) -> None:
    """Writes a CSV file of COLUMNS; rows of it that were not measured again stay."""
    kept = [row for row in read_cells(path) if row[0] not in {row.name for row in rows}]
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(COLUMNS)
        writer.writerows([*kept, *(row.cells() for row in rows)])


def read_cells(path: Path) -> list[list[str]]:
    """The rows of a CSV file as text, without its header; none where there is no file."""
    if not path.is_file():
        return []
    with path.open(newline="") as file:
        return list(csv.reader(file))[1:]


def markdown(path: Path) -> str:
    """The CSV file as a table of Markdown."""
    table = [list(COLUMNS), ["---"] * len(COLUMNS), *read_cells(path)]
    return "\n".join("| " + " | ".join(cells) + " |" for cells in table) + "\n"
