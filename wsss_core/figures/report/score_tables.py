"""Data of the score tables: mean IoU, IoU of each class, boundaries and confusion."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from wsss_core.data.pixel_counts import confusion_of
from wsss_core.figures.paper.measured import Measured, Scores, read_measured
from wsss_core.figures.paper.published import Published
from wsss_core.figures.report.results import Results
from wsss_core.ops.metrics import mean_iou
from wsss_core.stages.summarise import extra_mark


@dataclass(frozen=True)
class Score:
    """A cell: the scores of one method, stage and split, in percent.

    Attributes:
        measured: The score; None: the method has not reached this stage.
        is_best: Whether it is better than all others by more than the choice of images explains.
        published: Score in the paper; None: there is none, or the data are not the paper's.
        trimap: Mean IoU of the pixels near true boundaries; None: unknown.
        threshold: Background threshold, mean over the seeds; None: the stage has none.
        mark: Mark after scores with extra supervision; otherwise "".
    """

    measured: Measured | None
    is_best: bool
    published: float | None
    trimap: float | None
    threshold: float | None
    mark: str


@dataclass(frozen=True)
class Mistakes:
    """The confusion matrix of one method and stage on one split.

    Attributes:
        method: Name of the method.
        stage: Name of the stage, as in summary.csv.
        split: Name of the split.
        shares: float [C, C], percent of the pixels of each true class (row) by predicted class
            (column).
        precision: float [C], percent of the pixels predicted as each class that are correct; NaN:
            there are none.
        recall: float [C], percent of the pixels of each class that are correct; NaN: there are
            none.
    """

    method: str
    stage: str
    split: str
    shares: NDArray[np.float64]
    precision: NDArray[np.float64]
    recall: NDArray[np.float64]


def read_scores(results: Results) -> dict[str, Scores]:
    """Reads the scores of all runs, by stage."""
    return {
        stage: read_measured(
            [results.scores(run, stage) for run in results.runs if stage in run.stages]
        )
        for stage in results.stages
    }


def score_cells(
    results: Results,
    scores: Mapping[str, Scores],
    counts: Mapping[tuple[str, str], pd.DataFrame],
    published: Published,
    means: pd.DataFrame,
) -> dict[tuple[str, str, str], Score]:
    """Builds the cells of all methods, stages and splits; `means` is the result of over_seeds."""
    printed = _published_scores(published, scores)
    cells = {}
    for stage, of_stage in scores.items():
        for method in results.methods:
            for split in results.splits:
                key = (method, stage, split)
                cells[key] = Score(
                    measured=of_stage.measured.get((method, split)),
                    is_best=of_stage.is_best(split, method, results.methods),
                    published=printed.get(key),
                    trimap=_trimap(counts.get((method, stage)), split, len(of_stage.classes)),
                    threshold=_threshold(means, key),
                    mark=extra_mark(means, key) if key in means.index else "",
                )
    return cells


def _threshold(means: pd.DataFrame, key: tuple[str, str, str]) -> float | None:
    found = means["threshold"].get(key)
    return None if found is None or np.isnan(found) else float(found)


def _trimap(counts: pd.DataFrame | None, split: str, num_classes: int) -> float | None:
    if counts is None:
        return None
    near = confusion_of(counts[counts["split"] == split], num_classes, column="near_boundary")
    score = float(mean_iou(near))
    return None if np.isnan(score) else 100 * score


def _published_scores(
    published: Published, scores: Mapping[str, Scores]
) -> dict[tuple[str, str, str], float]:
    """Returns published mIoU by (method, stage, split); empty if the classes are not VOC's."""
    if any(set(one.classes) != set(published.classes) for one in scores.values()):
        return {}
    return {
        (row.method, table.stage, split): value
        for table in published.tables
        if not table.by_class
        for row in table.rows
        if row.method and row.published
        for split, value in zip(table.splits, row.published, strict=True)
    }


def headline(results: Results, cells: Mapping[tuple[str, str, str], Score]) -> tuple[str, str]:
    """Finds the method and stage for the headline of the page.

    The stage is the last that any method reached. The method has the highest score at this stage on
    the shown split.
    """
    stage = results.stages[-1]
    found = {
        method: cell.measured.mean
        for method in results.methods
        if (cell := cells[method, stage, results.shown_split]).measured is not None
    }
    return max(found, key=lambda method: found[method]), stage


def mistakes(
    counts: Mapping[tuple[str, str], pd.DataFrame], results: Results, num_classes: int
) -> Iterator[Mistakes]:
    """Yields the confusion of each method at its last stage, on the shown split."""
    for method in results.methods:
        stage = results.first_run(method).stages[-1]
        rows = counts[method, stage]
        confusion = confusion_of(rows[rows["split"] == results.shown_split], num_classes)
        right, truth = np.diag(confusion), confusion.sum(axis=1)
        yield Mistakes(
            method=method,
            stage=stage,
            split=results.shown_split,
            shares=_percent(confusion, truth[:, None]),
            precision=_percent(right, confusion.sum(axis=0)),
            recall=_percent(right, truth),
        )


def _percent(part: NDArray[np.int64], whole: NDArray[np.int64]) -> NDArray[np.float64]:
    out = np.full(np.broadcast_shapes(part.shape, whole.shape), np.nan)
    return 100 * np.divide(part, whole, out=out, where=whole > 0)


def class_rows(
    results: Results, scores: Mapping[str, Scores], split: str, classes: Sequence[str]
) -> Iterator[tuple[str, str, list[float]]]:
    """Yields rows: method, stage and the IoU of each class in percent."""
    for method in results.methods:
        for stage, of_stage in scores.items():
            measured = of_stage.measured.get((method, split))
            if measured is not None:
                yield method, stage, [measured.ious[name] for name in classes]
