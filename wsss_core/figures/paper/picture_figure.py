"""Draws the paper's figures of pictures: a row per image, a column per method."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from numpy.typing import NDArray

from wsss_core.data.dataset import Dataset
from wsss_core.data.images import read_mask
from wsss_core.data.score_maps import ScoreReader
from wsss_core.figures.overlay import paint_mask
from wsss_core.figures.paper.choose_rows import Row
from wsss_core.figures.qualitative_results import lay_out, name_row, paint_heat
from wsss_core.runtime.errors import UserError

FOOT = 0.05  # inches below the pictures
NOT_RUN = 235  # grey value of the picture of a method that was not run
Outcome = ScoreReader | Mapping[str, Path]  # CAMs, or the mask of each image


def draw_rows(
    dataset: Dataset,
    rows: Sequence[Row],
    columns: Mapping[str, Outcome | None],
    *,
    has_truth: bool,
) -> Figure:
    """Draws the figure.

    Args:
        dataset: The dataset with images and true masks.
        rows: The rows, from top to bottom.
        columns: Results of each method, by title of its column; None: it was not run.
        has_truth: Whether the true masks are the second column.

    Raises:
        UserError: An image has no predicted mask.
    """
    photos = [dataset.read_image(row.image_id) for row in rows]
    pictures = {"Image": photos}
    if has_truth:
        masks = [dataset.read_mask(row.image_id) for row in rows]
        pictures["Ground truth"] = [
            paint_mask(photo, mask) for photo, mask in zip(photos, masks, strict=True)
        ]
    for title, outcome in columns.items():
        name = title if outcome is not None else f"{title} (not run)"
        pictures[name] = [
            _painted(photo, row, outcome) for photo, row in zip(photos, rows, strict=True)
        ]
    if not rows:
        return _empty()
    figure, grid = lay_out(pictures, foot=FOOT)
    for axes_row, row in zip(grid, rows, strict=True):
        of = "" if row.class_id is None else f", {dataset.class_names[row.class_id - 1]}"
        name_row(axes_row[0], row.image_id + of)
    return figure


def _painted(photo: NDArray[np.uint8], row: Row, outcome: Outcome | None) -> NDArray[np.uint8]:
    if outcome is None:
        return np.full_like(photo, NOT_RUN)
    if isinstance(outcome, ScoreReader):
        record = outcome.read(row.image_id)
        scores = record.scores
        if row.class_id is not None:
            scores = scores[[record.class_ids.index(row.class_id)]]
        return paint_heat(photo, scores)
    if row.image_id not in outcome:
        raise UserError(f"image {row.image_id} has no mask, expected {row.image_id}.png")
    return paint_mask(photo, read_mask(outcome[row.image_id]))


def _empty() -> Figure:
    figure = Figure(figsize=(5, 1))
    FigureCanvasAgg(figure)
    figure.text(0.5, 0.5, "not run", ha="center", va="center", color="#596273")
    return figure
