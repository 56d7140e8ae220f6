"""The scores as a web page of its own: mean IoU by method and stage, and the IoU of each class."""

from __future__ import annotations

from collections.abc import Sequence
from html import escape
from pathlib import Path

import pandas as pd

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

STYLE = """
body { margin: 2rem auto; padding: 0 1.5rem; width: fit-content; max-width: 100%;
  box-sizing: border-box; background: #fff; color: #1f2430;
  font: 15px/1.45 system-ui, "Segoe UI", Roboto, "Helvetica Neue", sans-serif; }
h1 { font-size: 1.35rem; font-weight: 650; margin: 0 0 .2rem; }
h2, summary { font-size: 1.05rem; font-weight: 650; margin: 2rem 0 .4rem; }
summary { cursor: pointer; margin-top: 1.2rem; }
p { color: #5b6375; max-width: 46rem; margin: .2rem 0 1rem; }
.scroll { overflow-x: auto; }
table { border-collapse: collapse; font-variant-numeric: tabular-nums; }
th, td { padding: .38rem .75rem; text-align: right; white-space: nowrap; }
thead th { color: #5b6375; font-weight: 550; font-size: .87rem; }
thead tr:last-child th { border-bottom: 1.5px solid #1f2430; }
thead .stage { text-align: center; color: #1f2430; border-bottom: 1px solid #c9cedb; }
tbody tr:hover td, tbody tr:hover th { background: #f5f7fb; }
tbody th { font-weight: 600; }
tbody td, tbody th { border-bottom: 1px solid #e8ebf2; }
th.name { text-align: left; }
th.sub { font-weight: 400; color: #5b6375; }
td.first, th.first { padding-left: 1.6rem; }
td.best { font-weight: 700; color: #0b57a4; }
td small { display: block; color: #8a92a5; font-weight: 400; font-size: .74rem; line-height: 1.1; }
td.none { color: #b4bac8; }
.classes tbody td, .classes tbody th { padding: .28rem .5rem; border: 0; }
.classes tbody td { min-width: 2.2rem; padding: .28rem .3rem;
  text-align: center; border: 1px solid #fff; }
.classes thead th { text-align: center; padding: .3rem .5rem; vertical-align: bottom; }
.classes thead th.name { text-align: left; }
.classes tr.group > * { border-top: 9px solid #fff !important; }
.upright { writing-mode: vertical-rl; transform: rotate(180deg); }
"""
FIRST = "first"  # names the first column of a stage, which stands off from the one before
TINT = (31, 119, 196)  # of a class IoU of 100
MAX_TINT = 0.6
MAX_FLAT_CLASSES = 12  # the names of more classes stand upright, so that the table stays narrow


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
    splits = order_splits(summary["split"])
    # Val is what one looks at: it comes first and open, the other splits are folded away.
    per_class = [
        f"<details{' open' if split == splits[-1] else ''}>"
        f"<summary>IoU of each class, {escape(split)}</summary>"
        f"{class_table(means, split, classes=class_columns(summary))}</details>"
        for split in reversed(splits)
    ]
    return "\n".join(
        [
            '<!doctype html>\n<html lang="en"><head><meta charset="utf-8">',
            f"<title>Mean IoU by method and stage</title><style>{STYLE}</style></head><body>",
            f"<h1>Mean IoU by method and stage</h1><p>{escape(notes_on(means))}</p>",
            miou_table(means, methods=list(dict.fromkeys(summary["method"])), splits=splits),
            *per_class,
            "</body></html>\n",
        ]
    )


def miou_table(means: pd.DataFrame, *, methods: Sequence[str], splits: Sequence[str]) -> str:
    """Builds the table of mean IoU: a row per method, a column per stage and split.

    Args:
        means: what over_seeds returns.
        methods: the rows, in order.
        splits: the columns of each stage.
    """
    present = set(means.index.get_level_values("stage"))
    stages = [stage for stage in STAGES if stage in present]
    titles = [
        f'<th class="stage first" colspan="{len(splits)}">{escape(STAGE_TITLES[stage])}</th>'
        for stage in stages
    ]
    names = [
        f'<th class="{FIRST if split == splits[0] else ""}">{escape(split)}</th>'
        for _ in stages
        for split in splits
    ]
    rows = []
    for method in methods:
        cells = [
            _miou_cell(means, (method, stage, split), is_first=split == splits[0])
            for stage in stages
            for split in splits
        ]
        rows.append(f'<tr><th class="name">{escape(method)}</th>{"".join(cells)}</tr>')
    head = (
        f'<tr><th></th>{"".join(titles)}</tr><tr><th class="name">method</th>{"".join(names)}</tr>'
    )
    return _table(head, rows)


def class_table(means: pd.DataFrame, split: str, *, classes: Sequence[str]) -> str:
    """Builds the table of class IoU on one split: a row per method and stage.

    Args:
        means: what over_seeds returns.
        split: the split.
        classes: the columns, background first.
    """
    turn = ' class="upright"' if len(classes) > MAX_FLAT_CLASSES else ""
    names = "".join(f"<th><span{turn}>{escape(name)}</span></th>" for name in ("mIoU", *classes))
    head = f'<tr><th class="name">method</th><th class="name">stage</th>{names}</tr>'
    rows, previous = [], None
    for key, row in means.xs(split, level="split", drop_level=False).iterrows():
        method, stage, _ = key
        starts_method = method != previous
        previous = method
        cells = "".join(_tinted(row[name]) for name in classes)
        rows.append(
            f"<tr{' class=group' if starts_method else ''}>"
            f'<th class="name">{escape(method) if starts_method else ""}</th>'
            f'<th class="name sub">{escape(STAGE_TITLES[stage])}{extra_mark(means, key)}</th>'
            f"<td><b>{row['miou']:.1f}</b></td>{cells}</tr>"
        )
    return _table(head, rows, name="classes")


def _table(head: str, rows: Sequence[str], *, name: str = "miou") -> str:
    body = "\n".join(rows)
    return (
        f'<div class="scroll"><table class="{name}">\n<thead>{head}</thead>\n'
        f"<tbody>\n{body}\n</tbody></table></div>"
    )


def _miou_cell(means: pd.DataFrame, key: tuple[str, str, str], *, is_first: bool) -> str:
    if key not in means.index:
        return f'<td class="none {FIRST if is_first else ""}">{MISSING}</td>'
    _, stage, split = key
    column = means.xs((stage, split), level=("stage", "split"))["miou"]
    is_best = len(column) > 1 and means.loc[key, "miou"] == column.max()
    threshold = means.loc[key, "threshold"]
    below = "" if pd.isna(threshold) else f"<small>t = {threshold:.2f}</small>"
    names = f"{FIRST if is_first else ''} {'best' if is_best else ''}".strip()
    return f'<td class="{names}">{escape(miou_cell(means, key))}{below}</td>'


def _tinted(iou: float) -> str:
    """Writes a class IoU in percent on a ground that is deeper the higher it is."""
    if pd.isna(iou):
        return f'<td class="none">{MISSING}</td>'
    red, green, blue = TINT
    alpha = MAX_TINT * (iou / 100) ** 2  # squared: most are above 50, and should differ there
    return f'<td style="background: rgba({red}, {green}, {blue}, {alpha:.2f})">{iou:.1f}</td>'
