"""Draws the loss curves of all trainings: a row of panels per stage, a column per method."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import cycle
from pathlib import Path

import matplotlib as mpl
import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator
from numpy.typing import NDArray

from wsss_core.runtime.atomic import atomic_file
from wsss_core.runtime.errors import UserError

CLOCK_COLUMNS = ("step", "epoch", "lr")
TOTAL = "loss"
PANEL_SIZE = (3.6, 2.5)  # inches
MAX_RAW_POINTS = 400  # points of an unsmoothed line: they show the noise, and keep the file small
SMOOTHING = 0.06  # width of the running mean, as a share of the training
LEGEND_ROOM = 0.3  # space above the lines, as a share of the panel's range of losses
MAX_EPOCH_MARKS = 20
LOG_RATIO = 20.0  # largest loss / smallest loss above which the scale is logarithmic
TOTAL_COLOR = "#1f2430"
COLORS = ("#1976c4", "#e2711d", "#2a9d4a", "#b5338a", "#7a5af0", "#94730d", "#0f9ba8")
PARAMETERS = {
    "font.size": 8,
    "axes.titlesize": 9,
    "axes.titleweight": "bold",
    "axes.edgecolor": "#8a92a5",
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.grid": True,
    "grid.color": "#e8ebf2",
    "grid.linewidth": 0.7,
    "xtick.color": "#5b6375",
    "ytick.color": "#5b6375",
    "axes.labelcolor": "#5b6375",
    "svg.hashsalt": "loss curves",  # makes element names the same in each run
}


@dataclass(frozen=True)
class Curves:
    """The history of one training.

    Attributes:
        stage: The network that was trained, such as "classifier".
        method: Name of the method.
        history: Columns step, epoch, lr and loss (the weighted total), and one column for each
            loss (unweighted) and other measure.
    """

    stage: str
    method: str
    history: pd.DataFrame

    @property
    def losses(self) -> list[str]:
        """Names of the losses, total first. With a single loss there is no total."""
        parts = [name for name in self.history if name not in (*CLOCK_COLUMNS, TOTAL)]
        return [TOTAL, *parts] if len(parts) > 1 else parts or [TOTAL]


def read_curves(label: str, path: Path) -> Curves:
    """Reads the history of a training.

    Args:
        label: `<stage>/<method>` or `<stage>/<method>/<seed>`. The seed is not shown: all seeds of
            a method are drawn in one panel.
        path: CSV file with a row per logged step.

    Raises:
        UserError: The label or the file is not valid.
    """
    stage, _, method = label.partition("/")
    if not method:
        raise UserError(f"history label {label!r}: expected <stage>/<method>")
    try:
        history = pd.read_csv(path)
    except (OSError, ValueError) as error:
        raise UserError(f"{path}: not a history of losses ({error})") from error
    missing = [name for name in ("step", "epoch", TOTAL) if name not in history]
    if missing:
        raise UserError(f"{path}: there is no column {missing[0]!r}")
    return Curves(stage=stage, method=method.partition("/")[0], history=history)


def smooth(values: NDArray[np.float64], window: int) -> NDArray[np.float64]:
    """Computes a running mean. At the ends, it is over the values that exist.

    Args:
        values: float [N].
        window: Number of values in a mean, odd.
    """
    kernel = np.ones(window)
    padded = np.pad(values, window // 2)
    counts = np.convolve(np.pad(np.ones_like(values), window // 2), kernel, mode="valid")
    return np.convolve(padded, kernel, mode="valid") / counts


def write_loss_curves(path: Path, curves: Sequence[Curves]) -> None:
    """Draws the figure and writes it.

    Args:
        path: The file to write, .svg or .png.
        curves: The trainings. Rows and columns have the order of their first appearance.
    """
    with mpl.rc_context(PARAMETERS), atomic_file(path) as partial_path:
        metadata = {"Date": None} if path.suffix == ".svg" else None
        draw_loss_curves(curves).savefig(partial_path, dpi=150, metadata=metadata)


def draw_loss_curves(curves: Sequence[Curves]) -> Figure:
    """Draws the figure; `curves` is as in write_loss_curves."""
    stages = list(dict.fromkeys(one.stage for one in curves))
    methods = list(dict.fromkeys(one.method for one in curves))
    width, height = PANEL_SIZE
    figure = Figure(figsize=(width * len(methods), height * len(stages)), layout="constrained")
    FigureCanvasAgg(figure)
    grid = figure.subplots(len(stages), len(methods), squeeze=False)
    for row, stage in enumerate(stages):
        colors = loss_colors([one for one in curves if one.stage == stage])
        for column, method in enumerate(methods):
            group = [one for one in curves if (one.stage, one.method) == (stage, method)]
            group = [one for one in group if len(one.history)]  # imported weights have no losses
            axes = grid[row, column]
            axes.set_visible(bool(group))
            if group:
                draw_panel(axes, group, colors=colors)
                _add_legend(axes, group[0])
                axes.set_title(f"{stage.replace('_', ' ')}, {method}", loc="left")
    return figure


def loss_colors(curves: Sequence[Curves]) -> dict[str, str]:
    """Gives each loss a colour that is the same in all panels of a stage."""
    names = dict.fromkeys(name for one in curves for name in one.losses if name != TOTAL)
    return {TOTAL: TOTAL_COLOR, **dict(zip(names, cycle(COLORS), strict=False))}


def draw_panel(axes: Axes, group: Sequence[Curves], *, colors: dict[str, str]) -> None:
    """Draws the losses of one stage and method, a pair of lines for each seed, without legend.

    Args:
        axes: The panel.
        group: The trainings, one per seed.
        colors: Colour of each loss, by name.
    """
    smoothed = []
    for number, one in enumerate(group):
        for name in one.losses:
            rows = one.history[["step", name]].dropna()
            line = smooth(rows[name].to_numpy(dtype=float), smoothing_window(len(rows)))
            smoothed.append(line)
            raw = rows.iloc[:: -(-len(rows) // MAX_RAW_POINTS)]
            axes.plot(raw["step"], raw[name], color=colors[name], alpha=0.22, linewidth=0.6)
            axes.plot(
                rows["step"],
                line,
                color=colors[name],
                linewidth=1.8 if name == TOTAL else 1.3,
                label=legend_text(name) if number == 0 else None,
            )
    _scale(axes, np.concatenate(smoothed))
    _mark_epochs(axes, group[0].history)
    axes.xaxis.set_major_locator(MaxNLocator(nbins=5, integer=True))
    axes.set_xlabel("step")


def _add_legend(axes: Axes, curves: Curves) -> None:
    columns = 1 if len(curves.losses) < 3 else 2
    axes.legend(frameon=False, fontsize=7, ncols=columns, handlelength=1.2, loc="upper right")


def legend_text(name: str) -> str:
    """Returns the name of a loss in a legend."""
    return "weighted sum" if name == TOTAL else name.replace("_", " ")


def smoothing_window(num_values: int) -> int:
    """Returns the width of the running mean for a number of logged steps. It is odd."""
    return 2 * int(SMOOTHING * num_values / 2) + 1


def _scale(axes: Axes, values: NDArray[np.float64]) -> None:
    """Chooses a scale that shows all smoothed lines, with space for the legend above them.

    Noise of the raw lines may be outside the panel.
    """
    low, high = np.nanmin(values), np.nanmax(values)
    if low > 0 and high / low > LOG_RATIO:
        axes.set_yscale("log")
        span = high / low
        axes.set_ylim(low / span**0.08, high * span**LEGEND_ROOM)
    else:
        bottom = min(0.0, 1.1 * low)
        axes.set_ylim(bottom, high + LEGEND_ROOM * ((high - bottom) or 1.0))


def _mark_epochs(axes: Axes, history: pd.DataFrame) -> None:
    """Marks the steps at which an epoch begins, unless there are too many to tell apart."""
    epoch = np.floor(history["epoch"].to_numpy(dtype=float))
    steps = history["step"].to_numpy()
    starts = steps[1:][np.diff(epoch) > 0]
    starts = starts[starts < steps[-1]]  # the last step ends an epoch and begins none
    if len(starts) <= MAX_EPOCH_MARKS:
        for step in starts:
            axes.axvline(step, color="#c9cedb", linewidth=0.7, linestyle=(0, (2, 3)), zorder=0.5)
