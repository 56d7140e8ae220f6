"""Stage summarise: the table of all scores, as summary.csv and as text.

The columns are KEY_COLUMNS and the IoU of each class. Two more columns, REMARKS, are there only if
needed. They name supervision beyond image-level labels, and networks that did not compute in
float32. They are the last columns, so that all others keep their positions.
"""

from __future__ import annotations

import io
import textwrap
from collections.abc import Callable, Sequence
from pathlib import Path

import pandas as pd

from wsss_core.runtime.checked_text import checked_file, read_checked
from wsss_core.runtime.errors import UserError
from wsss_core.stages.evaluate import (
    EXTRA_COLUMN,
    KEY_COLUMNS,
    PRECISION_COLUMN,
    REMARKS,
    STAGES,
)

SPLITS = ("train", "val")  # these come first, in this order; others follow by name
ROW_KEY = ["method", "seed", "stage", "split"]
STAGE_TITLES = {
    "cam": "CAM",
    "random_walk": "random walk",
    "segmentation": "segmentation",
    "segmentation_crf": "segmentation + CRF",
}
PROTOCOL = (
    "mIoU in percent, background included. CAM and random walk use the true image labels, "
    "on val too, so their scores are not those of a network that has to find the classes itself. "
    "CAM is taken at the background threshold that is best on each split."
)
SEEDS_NOTE = "Mean ± standard deviation over the seeds."
MISSING = "–"
EXTRA_MARK = "†"  # follows a score with a text in EXTRA_COLUMN
MIN_NOTE_WIDTH = 80


def read_scores(path: Path) -> pd.DataFrame:
    """Reads a CSV file with the columns of summary.csv.

    Args:
        path: A file with KEY_COLUMNS, the IoU of each class, and optionally REMARKS.

    Returns:
        One row per (method, seed, stage, split); empty cells are NaN.
    """
    try:
        # Without these options, a method named "NA" or "null" would become NaN.
        text = dict.fromkeys(("method", "stage", "split", *REMARKS), str)
        scores = pd.read_csv(
            io.StringIO(read_checked(path)), dtype=text, keep_default_na=False, na_values=[""]
        )
    except (OSError, ValueError) as error:
        raise UserError(f"{path}: not a table of scores ({error})") from error
    if tuple(scores.columns[: len(KEY_COLUMNS)]) != KEY_COLUMNS:
        raise UserError(f"{path}: first columns are not {','.join(KEY_COLUMNS)}")
    if scores[[name for name in KEY_COLUMNS if name != "threshold"]].isna().any(axis=None):
        raise UserError(f"{path}: a row ends early; expected a cell in each column of its key")
    unknown = sorted(set(scores["stage"]) - set(STAGES))
    if unknown:
        raise UserError(f"{path}: stage is {unknown[0]!r}, expected one of {', '.join(STAGES)}")
    return scores


def merge_scores(paths: Sequence[Path]) -> pd.DataFrame:
    """Joins the scores of all stages, methods and seeds.

    Args:
        paths: CSV files of the same classes. The order of the files decides the order of methods.

    Returns:
        Rows sorted by method, seed, stage (in the order of the pipeline) and split (train first).
    """
    tables = [read_scores(path) for path in paths]
    for path, table in zip(paths, tables, strict=True):
        if class_columns(table) != class_columns(tables[0]):
            raise UserError(f"{path}: columns differ from those of {paths[0]}")
    summary = pd.concat([table.astype({"threshold": float}) for table in tables])
    for name in REMARKS:
        if name in summary:
            summary.insert(len(summary.columns) - 1, name, summary.pop(name))
    twice = summary[summary.duplicated(ROW_KEY)]
    if len(twice):
        method, seed, stage, split = twice.iloc[0][ROW_KEY]
        raise UserError(f"{stage} of {method}, seed {seed}, has been scored twice on {split}")
    orders: dict[str, Sequence[str]] = {
        "method": list(dict.fromkeys(summary["method"])),
        "stage": STAGES,
        "split": order_splits(summary["split"]),
    }

    def rank(column: pd.Series) -> pd.Series:
        order = orders.get(str(column.name))
        return column if order is None else column.map(order.index)

    return summary.sort_values(ROW_KEY, key=rank, ignore_index=True)


def order_splits(splits: Sequence[str]) -> list[str]:
    """Lists the different splits, train and val first."""
    return sorted(set(splits), key=lambda name: (name not in SPLITS, name))


def write_summary(path: Path, summary: pd.DataFrame) -> None:
    """Writes summary.csv: percentages with four decimals, thresholds with two."""
    texts = summary.copy()
    texts["threshold"] = summary["threshold"].map("{:.2f}".format, na_action="ignore")
    with checked_file(path) as partial_path:
        texts.to_csv(partial_path, index=False, float_format="%.4f", lineterminator="\n")


def class_columns(summary: pd.DataFrame) -> list[str]:
    """Lists the columns of class IoU, background first."""
    return [name for name in summary.columns[len(KEY_COLUMNS) :] if name not in REMARKS]


def over_seeds(summary: pd.DataFrame) -> pd.DataFrame:
    """Averages the scores over seeds.

    Args:
        summary: A result of merge_scores.

    Returns:
        One row per (method, stage, split), which is the index, in the order of the summary. The
        columns are the means of threshold, miou and each class, `sd` of miou (NaN for one seed),
        `seeds`, and REMARKS (NaN if there is no remark).
    """
    groups = summary.groupby(["method", "stage", "split"], sort=False)
    means = groups[["threshold", "miou", *class_columns(summary)]].mean()
    means.insert(2, "sd", groups["miou"].std())
    means.insert(3, "seeds", groups["seed"].count())
    for name in REMARKS:
        means[name] = groups[name].first() if name in summary else None
    return means


def notes_on(means: pd.DataFrame) -> str:
    """Writes the notes below a table of means: PROTOCOL, spread, supervision, precision.

    Args:
        means: A result of over_seeds.
    """
    notes = [PROTOCOL]
    if not means["sd"].isna().all():
        notes.append(SEEDS_NOTE)
    extra = ", ".join(means[EXTRA_COLUMN].dropna().unique())
    if extra:
        notes.append(f"{EXTRA_MARK} has learnt from more than image-level labels: {extra}.")
    notes += _notes_on_precision(means)
    return " ".join(notes)


def _notes_on_precision(means: pd.DataFrame) -> list[str]:
    """Names the scores that were not computed in float32."""
    told = means[PRECISION_COLUMN].dropna()
    if len(told) == len(means) and told.nunique() == 1:
        return [f"All networks were {told.iloc[0]}."]
    return [
        f"{_list_stages(group.index)}: networks {text}."
        for text, group in told.groupby(told, sort=False)
    ]


def _list_stages(index: pd.MultiIndex) -> str:
    """Describes an index of (method, stage, split): `CAM of cam, seam; segmentation of cam`."""
    methods: dict[str, list[str]] = {}
    for method, stage, _ in index:
        names = methods.setdefault(STAGE_TITLES[stage], [])
        if method not in names:
            names.append(method)
    return "; ".join(f"{stage} of {', '.join(names)}" for stage, names in methods.items())


def extra_mark(means: pd.DataFrame, key: tuple[str, str, str]) -> str:
    """Returns the mark after a score with extra supervision, or an empty string.

    Args:
        means: A result of over_seeds.
        key: (method, stage, split).
    """
    return "" if pd.isna(means.loc[key, EXTRA_COLUMN]) else f" {EXTRA_MARK}"


def miou_cell(means: pd.DataFrame, key: tuple[str, str, str]) -> str:
    """Writes a mean IoU, with the standard deviation if there are several seeds: `57.32 ± 0.41`.

    Args:
        means: A result of over_seeds.
        key: (method, stage, split); without a score, the result is a dash.
    """
    if key not in means.index:
        return MISSING
    miou, sd = means.loc[key, "miou"], means.loc[key, "sd"]
    score = f"{miou:.2f}" if pd.isna(sd) else f"{miou:.2f} ± {sd:.2f}"
    return score + extra_mark(means, key)


def format_table(summary: pd.DataFrame) -> str:
    """Writes the mean IoU of each method (row), stage and split (columns) as aligned text."""
    means = over_seeds(summary)
    methods = list(dict.fromkeys(summary["method"]))
    splits = order_splits(summary["split"])
    stages = [stage for stage in STAGES if stage in set(summary["stage"])]
    blocks = [_align([["", "method", *methods]], justify=str.ljust)]
    blocks += [_stage_block(means, stage, methods=methods, splits=splits) for stage in stages]
    lines = ["  ".join(cells) for cells in zip(*blocks, strict=True)]
    rule = "-" * len(lines[0])
    notes = textwrap.fill(notes_on(means), width=max(len(rule), MIN_NOTE_WIDTH))
    return "\n".join([*lines[:2], rule, *lines[2:], rule, notes]) + "\n"


def _stage_block(
    means: pd.DataFrame, stage: str, *, methods: list[str], splits: list[str]
) -> list[str]:
    """Writes the columns of one stage: lines of equal length, its title first."""
    columns = []
    for split in splits:
        scores = [miou_cell(means, (method, stage, split)) for method in methods]
        columns.append([split, *scores])
    body = _align(columns, justify=str.rjust)
    return _align([[STAGE_TITLES[stage], *body]], justify=str.rjust)


def _align(columns: list[list[str]], *, justify: Callable[[str, int], str]) -> list[str]:
    """Joins columns of text to lines, each column padded to its widest cell."""
    padded = [[justify(cell, max(map(len, column))) for cell in column] for column in columns]
    return ["  ".join(cells) for cells in zip(*padded, strict=True)]
