"""Results of benchmarks: one row for each, as CSV and as a Markdown table."""

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
        name: Name of the benchmark.
        ours: Our result; lower is better, unless the target starts with ">=".
        usual: Result of the usual implementation; None if there is none.
        unit: Unit of both.
        target: The target: a ratio ("50x"), or a bound for our result ("<= 15", ">= 0.75").
        device: Name of the device.
    """

    name: str
    ours: float
    usual: float | None
    unit: str
    target: str
    device: str

    @property
    def ratio(self) -> float | None:
        """The usual result divided by ours; larger is better."""
        return None if self.usual is None else self.usual / self.ours

    @property
    def is_met(self) -> bool:
        """Whether the target is reached."""
        if self.target.endswith("x"):
            return self.ratio is not None and self.ratio >= float(self.target[:-1])
        sign, bound = self.target.split()
        return self.ours <= float(bound) if sign == "<=" else self.ours >= float(bound)

    def cells(self) -> list[str]:
        """Formats the fields as text, in the order of COLUMNS."""
        numbers = [self.ours, self.usual, self.ratio]
        ours, usual, ratio = ("" if number is None else f"{number:.4g}" for number in numbers)
        return [self.name, ours, usual, self.unit, ratio, self.target, self.device]


def write_rows(path: Path, rows: Sequence[Row]) -> None:
    """Adds rows to a CSV file with COLUMNS; a row replaces an older row of the same name."""
    kept = [row for row in read_cells(path) if row[0] not in {row.name for row in rows}]
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(COLUMNS)
        writer.writerows([*kept, *(row.cells() for row in rows)])


def read_cells(path: Path) -> list[list[str]]:
    """Reads the rows of a CSV file as text, without the header; empty if there is no file."""
    if not path.is_file():
        return []
    with path.open(newline="") as file:
        return list(csv.reader(file))[1:]


def markdown(path: Path) -> str:
    """Formats the CSV file as a Markdown table."""
    table = [list(COLUMNS), ["---"] * len(COLUMNS), *read_cells(path)]
    return "\n".join("| " + " | ".join(cells) + " |" for cells in table) + "\n"
