"""Figure 5: IoU of each class against the share of the image that its objects fill."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from numpy.typing import NDArray
from scipy.stats import spearmanr

from wsss_core.data.pixel_counts import class_counts

COLOR = "#1f63ad"


@dataclass(frozen=True)
class Occupancy:
    """The classes of a split.

    Attributes:
        names: Names of the K classes, without background.
        occupancy: float [K], percent of the pixels of an image that the class fills, the mean over
            the images with the class; NaN: no image has it.
        iou: float [K], IoU in percent.
    """

    names: Sequence[str]
    occupancy: NDArray[np.float64]
    iou: NDArray[np.float64]

    @property
    def known(self) -> NDArray[np.bool_]:
        """Whether both numbers of a class are known, bool [K]."""
        return np.isfinite(self.occupancy) & np.isfinite(self.iou)

    def rank_correlation(self) -> float:
        """Computes Spearman's rho of IoU and occupancy; NaN for fewer than three classes."""
        known = self.known
        if known.sum() < 3:
            return float("nan")
        return float(spearmanr(self.occupancy[known], self.iou[known]).statistic)


def measure_occupancy(counts: pd.DataFrame, names: Sequence[str]) -> NDArray[np.float64]:
    """Computes the share of the image that each class fills, as a mean over images with it.

    Args:
        counts: Pixel counts of one split, method and seed.
        names: The K classes without background.

    Returns:
        Percent, float [K].
    """
    _, totals = class_counts(counts, len(names) + 1)
    truth = totals[:, 1].astype(float)  # [N, C]
    share = 100 * truth[:, 1:] / truth.sum(axis=1, keepdims=True)
    has = truth[:, 1:] > 0
    out = np.full(len(names), np.nan)
    return np.divide(
        np.where(has, share, 0).sum(axis=0), has.sum(axis=0), out=out, where=has.any(0)
    )


def draw_occupancy(classes: Occupancy | None) -> Figure:
    """Draws one point per class; an empty figure if nothing was measured."""
    figure = Figure(figsize=(5.2, 3.6), layout="constrained")
    FigureCanvasAgg(figure)
    axes = figure.subplots()
    axes.set_xlabel("image occupancy, %")
    axes.set_ylabel("IoU, %")
    axes.spines[["top", "right"]].set_visible(False)
    if classes is None:
        axes.text(0.5, 0.5, "not run", transform=axes.transAxes, ha="center", color="#596273")
        return figure
    known = classes.known
    axes.plot(classes.occupancy[known], classes.iou[known], "o", color=COLOR, markersize=4)
    for name, x, y in zip(classes.names, classes.occupancy, classes.iou, strict=True):
        if np.isfinite(x) and np.isfinite(y):
            axes.annotate(
                name,
                (x, y),
                xytext=(4, 3),
                textcoords="offset points",
                fontsize=7,
                parse_math=False,
            )
    axes.set_xlim(0, 1.15 * np.nanmax(classes.occupancy[known], initial=1.0))  # room for names
    axes.set_ylim(0, 100)
    rho = classes.rank_correlation()
    if np.isfinite(rho):
        axes.set_title(f"rank correlation {rho:.2f}, {int(known.sum())} classes", fontsize=9)
    return figure
