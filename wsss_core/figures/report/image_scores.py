"""How well single images are segmented, and the pixels that this follows from."""

from __future__ import annotations

from collections.abc import Mapping

import pandas as pd

from wsss_core.data.pixel_counts import read_pixel_counts
from wsss_core.figures.image_miou import image_miou
from wsss_core.figures.paper.measured import images_path
from wsss_core.figures.report.results import Results

Scores = Mapping[tuple[str, str], Mapping[str, float]]  # by (method, stage) and image, percent


def read_counts(results: Results) -> dict[tuple[str, str], pd.DataFrame]:
    """Reads the pixel counts of each method and stage, those of several seeds one after another."""
    tables: dict[tuple[str, str], list[pd.DataFrame]] = {}
    for run in results.runs:
        for stage in run.stages:
            counts = read_pixel_counts(images_path(results.scores(run, stage)))
            tables.setdefault((run.method, stage), []).append(counts.assign(seed=run.seed))
    return {key: pd.concat(several) for key, several in tables.items()}


def score_images(
    counts: Mapping[tuple[str, str], pd.DataFrame], results: Results, num_classes: int
) -> dict[tuple[str, str], dict[str, float]]:
    """Computes the mean IoU of each image of the shown split, by the first seed of each method.

    It is a mean over the classes that the image has or was given.

    Args:
        counts: from read_counts.
        results: the experiment.
        num_classes: C, with background.

    Returns:
        Percent, by method and stage and then by image.
    """
    scores = {}
    for (method, stage), rows in counts.items():
        seed = results.first_run(method).seed
        shown = rows[(rows["split"] == results.shown_split) & (rows["seed"] == seed)]
        scores[method, stage] = image_miou(shown, num_classes)
    return scores
