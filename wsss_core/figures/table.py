"""The scores as a web page of its own: mean IoU by method and stage, and the IoU of each class."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pandas as pd
from jinja2 import Environment, FileSystemLoader, StrictUndefined

from wsss_core.runtime.atomic import atomic_file
from wsss_core.stages.evaluate import STAGES
from wsss_core.stages.summarise import (
    MISSING,
    STAGE_TITLES,
    class_columns,
    extra_mark,
    miou_cell,
    notes_on,
    order_splits,
    over_seeds,
)

TEMPLATES = Path(__file__).parent / "templates"
MAX_FLAT_CLASSES = 12  # the names of more classes stand upright, so that the table stays narrow


@dataclass(frozen=True)
class Score:
    """A cell of the table of mean IoU.

    Attributes:
        text: The mean IoU.
        kind: "best" of its column, "none" where nothing was scored, or "".
        threshold: Of the background, or "".
    """

    text: str
    kind: str
    threshold: str


@dataclass(frozen=True)
class ClassRow:
    """A row of the table of class IoU.

    Attributes:
        method: Its name.
        starts_method: Whether it is the first of its method.
        stage: Title of the stage.
        miou: Mean over the classes.
        ious: Percent of each class; None where a class does not occur.
    """

    method: str
    starts_method: bool
    stage: str
    miou: str
    ious: list[float | None]


def write_table(path: Path, summary: pd.DataFrame) -> None:
    """Writes the page.

    Args:
        path: HTML file to write; it refers to no other file.
        summary: rows of summary.csv.
    """
    with atomic_file(path) as partial_path:
        partial_path.write_text(build_page(summary), encoding="utf-8")


def build_page(summary: pd.DataFrame) -> str:
    """Builds the HTML of the page from rows of summary.csv."""
    means = over_seeds(summary)
    splits, classes = order_splits(summary["split"]), class_columns(summary)
    present = set(summary["stage"])
    stages = [stage for stage in STAGES if stage in present]
    methods = [
        (method, [[_score(means, (method, stage, split)) for split in splits] for stage in stages])
        for method in dict.fromkeys(summary["method"])
    ]
    environment = Environment(
        loader=FileSystemLoader(TEMPLATES),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    return environment.get_template("table.html").render(
        notes=notes_on(means),
        splits=splits,
        stages=[STAGE_TITLES[stage] for stage in stages],
        methods=methods,
        classes=classes,
        upright=len(classes) > MAX_FLAT_CLASSES,
        class_tables=[(split, list(_class_rows(means, split, classes))) for split in splits[::-1]],
        missing=MISSING,
    )


def _score(means: pd.DataFrame, key: tuple[str, str, str]) -> Score:
    if key not in means.index:
        return Score(MISSING, "none", "")
    _, stage, split = key
    column = means.xs((stage, split), level=("stage", "split"))["miou"]
    is_best = len(column) > 1 and means.loc[key, "miou"] == column.max()
    threshold = means.loc[key, "threshold"]
    below = "" if pd.isna(threshold) else f"{threshold:.2f}"
    return Score(miou_cell(means, key), "best" if is_best else "", below)


def _class_rows(means: pd.DataFrame, split: str, classes: list[str]) -> Iterator[ClassRow]:
    previous = None
    for key, row in means.xs(split, level="split", drop_level=False).iterrows():
        method, stage, _ = key
        yield ClassRow(
            method,
            starts_method=method != previous,
            stage=STAGE_TITLES[stage] + extra_mark(means, key),
            miou=f"{row['miou']:.1f}",
            ious=[None if pd.isna(row[name]) else float(row[name]) for name in classes],
        )
        previous = method
