"""Scores of single images, and the pixel counts from which they are computed."""

from __future__ import annotations

from collections.abc import Mapping

import pandas as pd

from wsss_core.data.pixel_counts import read_pixel_counts
from wsss_core.figures.image_miou import image_miou
from wsss_core.figures.paper.measured import images_path
from wsss_core.figures.report.results import Results

# By (method, stage) and image id: mean IoU of an image in percent.
Scores = Mapping[tuple[str, str], Mapping[str, float]]


def read_counts(results: Results) -> dict[tuple[str, str], pd.DataFrame]:
    """Reads the pixel counts of each method and stage, with the rows of all seeds."""
    tables: dict[tuple[str, str], list[pd.DataFrame]] = {}
    for run in results.runs:
        for stage in run.stages:
            counts = read_pixel_counts(images_path(results.scores(run, stage)))
            tables.setdefault((run.method, stage), []).append(counts.assign(seed=run.seed))
    return {key: pd.concat(several) for key, several in tables.items()}


def score_images(
    counts: Mapping[tuple[str, str], pd.DataFrame], results: Results, num_classes: int
) -> dict[tuple[str, str], dict[str, float]]:
    """Computes the mean IoU of each image of the shown split, for the first seed of each method.

    The mean is over the classes in the true or the predicted mask of the image.

    Args:
        counts: Result of read_counts.
        results: The results of the experiment.
        num_classes: C, with background.

    Returns:
        Percent, by (method, stage) and then by image id.
    """
    scores = {}
    for (method, stage), rows in counts.items():
        seed = results.first_run(method).seed
        shown = rows[(rows["split"] == results.shown_split) & (rows["seed"] == seed)]
        scores[method, stage] = image_miou(shown, num_classes)
    return scores
