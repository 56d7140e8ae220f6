"""Makes a figure of the paper from the results of an experiment."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import matplotlib as mpl
import numpy as np
import pandas as pd
from matplotlib.figure import Figure
from numpy.typing import NDArray

from wsss_core.config.base import ConfigModel
from wsss_core.data.dataset import Dataset, open_dataset
from wsss_core.data.mask_files import find_masks
from wsss_core.data.pixel_counts import confusion_of, read_pixel_counts
from wsss_core.data.score_maps import ScoreReader
from wsss_core.figures.image_miou import image_miou
from wsss_core.figures.paper.choose_rows import Row, largest_gains, largest_losses
from wsss_core.figures.paper.definitions import FIGURES, OURS, caption
from wsss_core.figures.paper.occupancy import Occupancy, draw_occupancy, measure_occupancy
from wsss_core.figures.paper.picture_figure import Outcome, draw_rows
from wsss_core.figures.qualitative_results import choose_images
from wsss_core.ops.metrics import class_iou
from wsss_core.runtime.atomic import atomic_file
from wsss_core.runtime.errors import UserError

SAMPLED = "These images are sampled: the rule needs methods that were not run."


class RunFiles(ConfigModel):
    """Files of one method at the figure's stage: score maps or folders of masks, pixel counts."""

    shards: tuple[Path, ...]
    counts: Path


class FigureInputs(ConfigModel):
    """The inputs of a figure.

    Attributes:
        number: Number of the figure in the paper.
        data: Folder of the prepared dataset.
        split: The split of the images.
        image_ids: Ids that the config names; empty: a rule chooses them.
        runs: Files of each method, by name.
        commands: For each method that was not run: the command that runs it.
    """

    number: int
    data: Path
    split: str
    image_ids: tuple[str, ...]
    runs: dict[str, RunFiles]
    commands: dict[str, str]


def make_figure(path: Path, inputs: FigureInputs) -> None:
    """Writes the figure as .pdf and .png, and its caption as .md.

    Args:
        path: Path of one of the files; the others have the same name.
        inputs: Inputs of the figure.

    Raises:
        UserError: The config names an image that is not in the split.
    """
    dataset = open_dataset(inputs.data)
    counts = {method: _counts(run, inputs.split) for method, run in inputs.runs.items()}
    draw = _draw_pictures if FIGURES[inputs.number].count else _draw_points
    figure, image_ids, remarks = draw(inputs, dataset, counts)
    text = caption(
        inputs.number,
        split=inputs.split,
        image_ids=image_ids,
        is_given=bool(inputs.image_ids),
        commands=inputs.commands,
        remarks=remarks,
    )
    _write_figure(path, figure, text)


def _write_figure(path: Path, figure: Figure, text: str) -> None:
    """Writes the figure as .pdf and .png, and the caption as .md."""
    with mpl.rc_context({"pdf.fonttype": 42}):  # TrueType: text can be searched and edited
        for suffix, metadata in ((".pdf", {"CreationDate": None}), (".png", None)):
            with atomic_file(path.with_suffix(suffix)) as partial_path:
                figure.savefig(partial_path, dpi=200, metadata=metadata, facecolor="white")
    with atomic_file(path.with_suffix(".md")) as partial_path:
        partial_path.write_text(text, encoding="utf-8")


def _counts(run: RunFiles, split: str) -> pd.DataFrame:
    counts = read_pixel_counts(run.counts)
    return counts[counts["split"] == split]


def _draw_points(
    inputs: FigureInputs, dataset: Dataset, counts: Mapping[str, pd.DataFrame]
) -> tuple[Figure, list[str], list[str]]:
    if OURS not in counts:
        return draw_occupancy(None), [], []
    names = dataset.class_names
    classes = Occupancy(
        names=names,
        occupancy=measure_occupancy(counts[OURS], names),
        iou=100 * _class_iou(counts[OURS], dataset)[1:],
    )
    rho = classes.rank_correlation()
    remark = (
        "Pseudo labels of the random walk. The share of a class is the mean over the images that "
        f"have it. Spearman's rank correlation: {rho:.2f}."
    )
    return draw_occupancy(classes), [], [remark]


def _draw_pictures(
    inputs: FigureInputs, dataset: Dataset, counts: Mapping[str, pd.DataFrame]
) -> tuple[Figure, list[str], list[str]]:
    definition = FIGURES[inputs.number]
    rows, remarks = _rows(inputs, dataset, counts)
    columns = {
        title: _outcome(inputs.runs[method], dataset, definition.stage)
        if method in inputs.runs
        else None
        for title, method in definition.methods.items()
    }
    figure = draw_rows(dataset, rows, columns, has_truth=definition.has_truth)
    return figure, [row.image_id for row in rows], remarks


def _outcome(run: RunFiles, dataset: Dataset, stage: str) -> Outcome:
    if stage == "cam":
        return ScoreReader(run.shards, kind="cam", class_names=dataset.class_names)
    return find_masks(run.shards)


def _rows(
    inputs: FigureInputs, dataset: Dataset, counts: Mapping[str, pd.DataFrame]
) -> tuple[list[Row], list[str]]:
    """Chooses the images, and returns remarks about the choice for the caption."""
    image_ids = dataset.split(inputs.split)
    for image_id in inputs.image_ids:
        if image_id not in image_ids:
            key = f"paper.images.figure_{inputs.number}"
            raise UserError(f"{key}: {image_id!r} is no image of split {inputs.split!r}")
    if inputs.image_ids:
        return [Row(image_id) for image_id in inputs.image_ids], []
    definition = FIGURES[inputs.number]
    baseline, *_ = definition.methods.values()
    sampled = [Row(i) for i in choose_images(dataset.labels, image_ids, definition.count)]
    if len(definition.methods) == 1:
        return sampled, []
    if not {baseline, OURS} <= set(counts):
        return sampled, [SAMPLED]
    num_classes = len(dataset.class_names) + 1
    ours, theirs = (image_miou(counts[method], num_classes) for method in (OURS, baseline))
    labels, count = dataset.labels, definition.count
    if inputs.number == 4:
        changes = _class_iou(counts[OURS], dataset) - _class_iou(counts[baseline], dataset)
        return largest_losses(labels, image_ids, ours, theirs, changes[1:].tolist(), count), []
    return largest_gains(labels, image_ids, ours, theirs, count), []


def _class_iou(counts: pd.DataFrame, dataset: Dataset) -> NDArray[np.float64]:
    """Computes the IoU of each class, background first, float [C] in [0, 1]."""
    return class_iou(confusion_of(counts, len(dataset.class_names) + 1))
