"""Draws line charts as SVG with the colours of the page, for light and dark mode."""

from __future__ import annotations

import io
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import cycle

import matplotlib as mpl
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from wsss_core.figures.loss_curves import (
    COLORS,
    PARAMETERS,
    TOTAL_COLOR,
    Curves,
    draw_panel,
    legend_text,
    loss_colors,
)
from wsss_core.figures.report.results import Results
from wsss_core.runtime.checked_text import read_checked

SIZE = (4.9, 2.9)  # inches
DASHES = ("-", (0, (4, 2)), (0, (1, 1.5)))  # the next one when all colours are used
# CSS variables that replace the colours of the figures. Other lines keep their colours, which suit
# light and dark backgrounds.
PAGE_COLORS = {
    TOTAL_COLOR: "var(--ink)",
    "#8a92a5": "var(--dim)",
    "#5b6375": "var(--dim)",
    "#e8ebf2": "var(--rule)",
    "#c9cedb": "var(--edge)",
}
CHART_PARAMETERS = {**PARAMETERS, "font.size": 9, "svg.fonttype": "none", "svg.hashsalt": "report"}


@dataclass(frozen=True)
class Chart:
    """A chart.

    Attributes:
        title: Title of the chart.
        svg: The SVG element.
        legend: For each line: name, colour and whether it is dashed.
    """

    title: str
    svg: str
    legend: Sequence[tuple[str, str, bool]]


def threshold_charts(results: Results) -> Iterator[Chart]:
    """Draws for each split the mIoU of the CAMs by background threshold, a line per method."""
    sweeps = _sweeps(results)
    styles = list(zip(cycle(COLORS), (dash for dash in DASHES for _ in COLORS), strict=False))
    shown = list(zip(results.methods, cycle(styles), strict=False))
    for split in reversed(results.splits):
        figure, axes = _panel()
        for method, (color, dash) in shown:
            curve = sweeps[method]
            curve = curve[curve["split"] == split].groupby("threshold")["miou"].mean()
            axes.plot(curve.index, curve, color=color, linestyle=dash, linewidth=1.6)
            axes.plot([curve.idxmax()], [curve.max()], "o", color=color, markersize=4)
        axes.set_xlabel("background threshold")
        axes.set_ylabel("mIoU, %")
        axes.set_ylim(0, None)
        axes.set_xlim(0, 1)
        title = f"CAM by background threshold, {split}"
        legend = [(method, color, dash != "-") for method, (color, dash) in shown]
        yield Chart(title, _svg(figure, title), legend)


def _sweeps(results: Results) -> Mapping[str, pd.DataFrame]:
    tables: dict[str, list[pd.DataFrame]] = {}
    for run in results.runs:
        path = results.directory(run) / "scores/cam_sweep.csv"
        tables.setdefault(run.method, []).append(
            pd.read_csv(io.StringIO(read_checked(path)), dtype={"split": str})
        )
    return {method: pd.concat(several) for method, several in tables.items()}


def training_charts(curves: Sequence[Curves]) -> Iterator[Chart]:
    """Draws the losses of each network and method, with a mark at the start of each epoch."""
    for stage in dict.fromkeys(one.stage for one in curves):
        of_stage = [one for one in curves if one.stage == stage]
        colors = loss_colors(of_stage)
        for method in dict.fromkeys(one.method for one in of_stage):
            group = [one for one in of_stage if one.method == method and len(one.history)]
            if not group:  # weights without training
                continue
            figure, axes = _panel()
            draw_panel(axes, group, colors=colors)
            axes.xaxis.set_major_locator(MaxNLocator(nbins=5, integer=True))
            title = f"{stage}, {method}"
            legend = [(legend_text(name), colors[name], False) for name in group[0].losses]
            yield Chart(title, _svg(figure, f"Loss curves: {title}"), legend)


def _panel() -> tuple[Figure, Axes]:
    with mpl.rc_context(CHART_PARAMETERS):
        figure = Figure(figsize=SIZE, layout="constrained")
        FigureCanvasAgg(figure)
        return figure, figure.subplots()


def _svg(figure: Figure, title: str) -> str:
    """Formats a figure as an <svg> element with the page's colours and without unused ids."""
    file = io.StringIO()
    with mpl.rc_context(CHART_PARAMETERS):
        figure.savefig(file, format="svg", transparent=True, metadata={"Date": None})
    text = file.getvalue()
    text = text[text.index("<svg") :]
    text = re.sub(r"<metadata>.*?</metadata>", "", text, flags=re.S)
    used = set(re.findall(r"(?:url\(#|xlink:href=\"#)([\w-]+)", text))
    text = re.sub(r' id="([^"]+)"', lambda m: m[0] if m[1] in used else "", text)
    for color, name in PAGE_COLORS.items():
        text = text.replace(color, name)
    view = re.search(r'viewBox="[^"]*"', text)
    assert view is not None, "an SVG of matplotlib has a viewBox"
    head = f'<svg xmlns:xlink="http://www.w3.org/1999/xlink" {view[0]} role="img"'
    label = title.replace("&", "&amp;").replace('"', "&quot;").replace("<", "&lt;")
    return f'{head} aria-label="{label}">{text[text.index(">") + 1 :]}'
