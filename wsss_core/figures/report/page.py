"""Builds the report: one HTML page with runs, scores and pictures."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from pathlib import Path
from typing import Any

import yaml
from jinja2 import Environment, FileSystemLoader, StrictUndefined

from wsss_core.data.dataset import Dataset, open_dataset
from wsss_core.data.images import voc_palette
from wsss_core.figures.loss_curves import read_curves
from wsss_core.figures.report.charts import Chart, training_charts
from wsss_core.figures.report.links import links
from wsss_core.figures.report.origin import changes, machine
from wsss_core.figures.report.resources import read_costs
from wsss_core.figures.report.results import NETWORK_OF, Results
from wsss_core.figures.report.scored import scored_parts
from wsss_core.figures.report.unscored import unscored_parts
from wsss_core.runtime.atomic import atomic_file
from wsss_core.runtime.duration import duration
from wsss_core.runtime.version import code_version
from wsss_core.stages.summarise import STAGE_TITLES

TEMPLATES = Path(__file__).parent / "templates"


@dataclass(frozen=True)
class Configs:
    """The config of the experiment and the shipped config, as read from YAML."""

    used: Mapping[str, Any]
    shipped: Mapping[str, Any]


def write_report(path: Path, results: Results, configs: Configs) -> None:
    """Writes the page. It has links only to the results beside it.

    Args:
        path: The HTML file to write.
        results: The results of the experiment.
        configs: The configs.
    """
    text = build_report(results, configs, beside=path.parent)
    with atomic_file(path) as partial_path:
        partial_path.write_text(text, encoding="utf-8")


def build_report(results: Results, configs: Configs, *, beside: Path) -> str:
    """Builds the HTML. Links are relative to the folder `beside`."""
    dataset = open_dataset(results.data)
    parts = scored_parts if results.splits else unscored_parts
    costs = read_costs(results)
    environment = Environment(
        loader=FileSystemLoader(TEMPLATES),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters |= {
        "percent": _percent,
        "signed": lambda value: "" if value is None else f"{value:+.1f}",
        "duration": duration,
        "time": lambda moment: moment.strftime("%Y-%m-%d %H:%M"),
    }
    return environment.get_template("report.html").render(
        name=results.folder.name,
        results=results,
        titles=STAGE_TITLES,
        dataset=dataset,
        colors=_class_colors(dataset.class_names),
        splits={name: len(dataset.split(name)) for name in _splits(results, dataset)},
        now=datetime.now().astimezone(),
        machine=machine(),
        code=code_version(),
        costs=costs,
        training=_training(results),
        changes=list(changes(configs.used, configs.shipped)),
        config=yaml.safe_dump(dict(configs.used), sort_keys=False, allow_unicode=True),
        links=links(results, relative=partial(_relative, beside=beside)),
        **parts(results, dataset),
    )


def _splits(results: Results, dataset: Dataset) -> Sequence[str]:
    names = dict.fromkeys(["train_aug", *results.splits, "test"])
    return [name for name in names if dataset.has_split(name)]


def _training(results: Results) -> list[Chart]:
    curves = [
        read_curves(f"{network}/{run.method}", results.directory(run) / network / "history.csv")
        for network in NETWORK_OF.values()
        for run in results.runs
        if network in {NETWORK_OF.get(stage) for stage in run.stages}
    ]
    return list(training_charts(curves))


def _class_colors(names: Sequence[str]) -> dict[str, str]:
    palette = voc_palette()
    return {name: "#{:02x}{:02x}{:02x}".format(*palette[k]) for k, name in enumerate(names, 1)}


def _percent(value: float | None) -> str:
    """Formats a number with one decimal; empty text for None and NaN."""
    return "" if value is None or value != value else f"{value:.1f}"


def _relative(path: Path, *, beside: Path) -> str:
    return Path(os.path.relpath(path, beside)).as_posix()
