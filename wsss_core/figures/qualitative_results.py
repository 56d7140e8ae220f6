"""Draws qualitative results: the outputs of all stages of a method for a few images.

H and W are the size of one image, n the number of its classes.
"""

from __future__ import annotations

import hashlib
import math
from collections.abc import Mapping, Sequence
from pathlib import Path

import matplotlib as mpl
import numpy as np
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.patches import Patch
from matplotlib.patheffects import withStroke
from numpy.typing import NDArray

from wsss_core.data.dataset import Dataset
from wsss_core.data.images import read_mask, voc_palette
from wsss_core.data.score_maps import ScoreReader, ScoreRecord
from wsss_core.figures.overlay import paint_mask
from wsss_core.runtime.atomic import atomic_file
from wsss_core.runtime.errors import UserError

COLUMN_WIDTH = 2.5  # inches
MIN_ASPECT, MAX_ASPECT = 0.5, 1.1  # height / width of a row; other images get margins
GAP = 0.04  # inches between images
SIDE = 0.25  # inches left of the images
HEAD, FOOT = 0.52, 0.4  # inches above and below the images, with two rows of class names
LEGEND_ROW = 0.17  # inches
DOTS_PER_INCH = 110
JPEG_QUALITY = 88
PEAK_MARGIN = 0.14  # half the width of a class name, as a share of the image's width
HEAT_OPACITY = (0.25, 0.7)  # opacity of the heat map at scores 0 and 1
TEXT_COLOR = "#1f2430"
DIM_COLOR = "#5b6375"


def choose_images(
    labels: Mapping[str, NDArray[np.uint8]], image_ids: Sequence[str], count: int
) -> list[str]:
    """Chooses images so that each class is shown about equally often.

    The choice depends only on ids and labels. So the figures of all methods and runs show the same
    images, and none is chosen for its result.

    Args:
        labels: uint8 [K] multi-hot label by image id.
        image_ids: Ids to choose from.
        count: Number of images.

    Returns:
        Up to `count` ids. In turn, an image of the class that is shown least often so far.
    """
    # By digest, not by name, since names are often in the order of date or source.
    left = sorted(image_ids, key=lambda image_id: hashlib.sha256(image_id.encode()).digest())
    left = [image_id for image_id in left if labels[image_id].any()]
    shown = np.zeros(len(next(iter(labels.values()))), dtype=int) if labels else np.zeros(0)
    chosen: list[str] = []
    while left and len(chosen) < count:
        available = np.any([labels[image_id] for image_id in left], axis=0)
        rarest = int(np.argmin(np.where(available, shown, len(image_ids) + 1)))
        image_id = next(image_id for image_id in left if labels[image_id][rarest])
        left.remove(image_id)
        chosen.append(image_id)
        shown += labels[image_id]
    return chosen


def paint_heat(photo: NDArray[np.uint8], scores: NDArray[np.float32]) -> NDArray[np.uint8]:
    """Paints the highest score of all classes over an image as a heat map.

    Args:
        photo: uint8 [H, W, 3].
        scores: float32 [n, H, W] in [0, 1].

    Returns:
        uint8 [H, W, 3].
    """
    highest = scores.max(axis=0, initial=0)  # [H, W]
    heat = mpl.colormaps["turbo"](highest)[..., :3] * 255
    low, high = HEAT_OPACITY
    opacity = (low + (high - low) * highest)[..., None]
    grey = photo.mean(axis=-1, keepdims=True)  # grey, so that only the heat map has colours
    return ((1 - opacity) * grey + opacity * heat).round().astype(np.uint8)


def write_qualitative_results(
    path: Path,
    dataset: Dataset,
    image_ids: Sequence[str],
    *,
    cams: ScoreReader,
    masks: Mapping[str, Mapping[str, Path]],
    title: str,
) -> None:
    """Draws a figure with a row for each image.

    Args:
        path: The file to write, .jpg or .png.
        dataset: The dataset with the images. True masks are shown if all images have one.
        image_ids: The images, one per row.
        cams: CAMs of at least these images.
        masks: More columns, by title: the path of the predicted mask of each image.
        title: Title of the figure.

    Raises:
        UserError: An image has no mask.
    """
    photos = [dataset.read_image(image_id) for image_id in image_ids]
    records = [cams.read(image_id) for image_id in image_ids]
    true_masks = {image_id: dataset.mask_path(image_id) for image_id in image_ids}
    is_known = all(path.is_file() for path in true_masks.values())
    columns = {
        "photograph": photos,
        **({"ground truth": _painted(photos, image_ids, true_masks)} if is_known else {}),
        "CAM": [paint_heat(p, record.scores) for p, record in zip(photos, records, strict=True)],
        **{name: _painted(photos, image_ids, paths) for name, paths in masks.items()},
    }
    num_rows = math.ceil((len(dataset.class_names) + 1) / _legend_columns(_figure_width(columns)))
    figure, grid = lay_out(columns, foot=max(FOOT, 0.06 + num_rows * LEGEND_ROW))
    for axes_row, image_id, record in zip(grid, image_ids, records, strict=True):
        name_row(axes_row[0], image_id)
        _name_peaks(axes_row[list(columns).index("CAM")], record, dataset.class_names)
    _add_title_and_legend(figure, title, dataset.class_names)
    with atomic_file(path) as partial_path:
        figure.savefig(
            partial_path,
            dpi=DOTS_PER_INCH,
            facecolor="white",
            pil_kwargs={"quality": JPEG_QUALITY},
        )


def _painted(
    photos: Sequence[NDArray[np.uint8]], image_ids: Sequence[str], paths: Mapping[str, Path]
) -> list[NDArray[np.uint8]]:
    missing = [image_id for image_id in image_ids if image_id not in paths]
    if missing:
        raise UserError(f"image {missing[0]} has no mask, expected {missing[0]}.png")
    masks = [read_mask(paths[image_id]) for image_id in image_ids]
    return [paint_mask(photo, mask) for photo, mask in zip(photos, masks, strict=True)]


def _figure_width(columns: Mapping[str, object]) -> float:
    return SIDE + len(columns) * (COLUMN_WIDTH + GAP)


def _legend_columns(width: float) -> int:
    return round(1.4 * width)


def lay_out(
    columns: Mapping[str, Sequence[NDArray[np.uint8]]], *, foot: float
) -> tuple[Figure, list[list[Axes]]]:
    """Places the pictures of all columns. The height of a row depends on its first picture.

    Args:
        columns: Pictures by title of the column, uint8 [H, W, 3].
        foot: Free space below the pictures, in inches.

    Returns:
        The figure, and its axes by row and column.
    """
    rows = list(zip(*columns.values(), strict=True))
    heights = [COLUMN_WIDTH * _row_aspect(row[0]) for row in rows]
    width = _figure_width(columns)
    height = HEAD + sum(heights) + GAP * len(rows) + foot
    figure = Figure(figsize=(width, height))
    FigureCanvasAgg(figure)
    grid: list[list[Axes]] = []
    bottom = height - HEAD
    for row, row_height in zip(rows, heights, strict=True):
        bottom -= row_height + GAP
        grid.append([])
        for number, picture in enumerate(row):
            left = SIDE + number * (COLUMN_WIDTH + GAP)
            box = (left / width, bottom / height, COLUMN_WIDTH / width, row_height / height)
            axes = figure.add_axes(box, xticks=[], yticks=[])
            axes.imshow(picture, interpolation="antialiased")
            axes.spines[:].set_visible(False)
            grid[-1].append(axes)
    for axes, name in zip(grid[0], columns, strict=True):
        axes.set_title(name, fontsize=10, color=TEXT_COLOR, pad=4)
    return figure, grid


def _row_aspect(picture: NDArray[np.uint8]) -> float:
    height, width = picture.shape[:2]
    return min(max(height / width, MIN_ASPECT), MAX_ASPECT)


def name_row(axes: Axes, image_id: str) -> None:
    """Writes the image id at the left edge of the figure."""
    box = axes.get_position(original=True)
    figure = axes.get_figure(root=True)
    assert figure is not None
    figure.text(
        0.5 * SIDE / figure.get_size_inches()[0],
        (box.y0 + box.y1) / 2,
        image_id,
        rotation=90,
        ha="center",
        va="center",
        fontsize=7,
        color=DIM_COLOR,
        parse_math=False,
    )


def _name_peaks(axes: Axes, record: ScoreRecord, class_names: Sequence[str]) -> None:
    """Writes the name of each class where its score is highest, moved inside the image."""
    for class_id, scores in zip(record.class_ids, record.scores, strict=True):
        height, width = scores.shape
        y, x = np.unravel_index(int(scores.argmax()), scores.shape)
        inside = (
            float(np.clip(x, PEAK_MARGIN * width, (1 - PEAK_MARGIN) * width)),
            float(np.clip(y, PEAK_MARGIN / 2 * height, (1 - PEAK_MARGIN / 2) * height)),
        )
        axes.annotate(
            class_names[class_id - 1],
            inside,
            color="white",
            fontsize=7.5,
            fontweight="bold",
            ha="center",
            va="center",
            path_effects=[withStroke(linewidth=1.8, foreground=TEXT_COLOR)],
            parse_math=False,
        )


def _add_title_and_legend(figure: Figure, title: str, class_names: Sequence[str]) -> None:
    width, height = figure.get_size_inches()
    figure.text(SIDE / width, 1 - 0.08 / height, title, va="top", color=TEXT_COLOR, weight="bold")
    palette = voc_palette() / 255
    patches = [
        Patch(facecolor=palette[number], label=name) for number, name in enumerate(class_names, 1)
    ]
    patches.append(Patch(facecolor="white", edgecolor=DIM_COLOR, label="ignored"))
    legend = figure.legend(
        handles=patches,
        loc="lower center",
        ncols=min(len(patches), _legend_columns(width)),
        frameon=False,
        fontsize=8,
        handlelength=1,
        handleheight=1,
        columnspacing=1.2,
    )
    for text in legend.get_texts():
        text.set_parse_math(False)
