"""The parts of the report that need true masks."""

from __future__ import annotations

from typing import Any

from wsss_core.data.dataset import Dataset
from wsss_core.figures.paper.published import read_published
from wsss_core.figures.report.charts import threshold_charts
from wsss_core.figures.report.choose import choose_shown, median_image
from wsss_core.figures.report.image_scores import read_counts, score_images
from wsss_core.figures.report.pictures import draw_shots
from wsss_core.figures.report.results import Results
from wsss_core.figures.report.score_tables import (
    class_rows,
    headline,
    mistakes,
    read_scores,
    score_cells,
)
from wsss_core.stages.summarise import notes_on, over_seeds
from wsss_core.stages.summarise import read_scores as read_summary


def scored_parts(results: Results, dataset: Dataset) -> dict[str, Any]:
    """Returns the template variables for scores and pictures, by name."""
    scores = read_scores(results)
    counts = read_counts(results)
    classes = next(iter(scores.values())).classes
    summary = read_summary(results.folder / "summary.csv")
    means = over_seeds(summary)
    cells = score_cells(results, scores, counts, read_published(), means)
    method, stage = headline(results, cells)
    of_images = score_images(counts, results, len(classes))
    others = [of_images[name, stage] for name in results.methods if (name, stage) in of_images]
    image_ids = dataset.split(results.shown_split)
    chosen = choose_shown(
        dataset.labels,
        image_ids,
        of_images[method, stage],
        [other for other in others if other is not of_images[method, stage]],
    )
    shots = draw_shots(results, dataset, chosen, of_images, notes={})
    return {
        "scored": True,
        "classes": classes,
        "cells": cells,
        "has_published": any(cell.published is not None for cell in cells.values()),
        "notes": notes_on(means),
        "precision": _precision(summary.get("precision")),
        "class_tables": {
            split: list(class_rows(results, scores, split, classes))
            for split in reversed(results.splits)
        },
        "head_method": method,
        "head_stage": stage,
        "head_score": cells[method, stage, results.shown_split].measured,
        "head_image": median_image(of_images[method, stage], [shot.image_id for shot in shots]),
        "shots": shots,
        "num_images": len(image_ids),
        "image_scores": _rounded(of_images, [shot.image_id for shot in shots]),
        "thresholds": list(threshold_charts(results)),
        "mistakes": list(mistakes(counts, results, len(classes))),
    }


def _precision(column: Any) -> str:
    if column is None or column.isna().all():
        return "float32"
    told = column.fillna("float32").unique()
    return "; ".join(told)


def _rounded(
    of_images: dict[tuple[str, str], dict[str, float]], image_ids: list[str]
) -> dict[str, dict[str, float]]:
    """Returns the scores by which the page sorts images: by image id, then by "method stage"."""
    return {
        image_id: {
            f"{method} {stage}": round(scores[image_id], 1)
            for (method, stage), scores in of_images.items()
        }
        for image_id in image_ids
    }
