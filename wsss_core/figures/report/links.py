"""Links from the report to the files of each run."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote

from wsss_core.figures.report.results import NETWORK_OF, Results, Run


@dataclass(frozen=True)
class Links:
    """The links of one run, as (title, address)."""

    run: str
    entries: Sequence[tuple[str, str]]


def links(results: Results, *, relative: Callable[[Path], str]) -> list[Links]:
    """Lists the existing files: tables of all runs, then weights, masks and scores of each run.

    Args:
        results: The results of the experiment.
        relative: Function that makes a path relative to the page.
    """
    tables = [results.folder / name for name in ("summary.csv", "paper")]
    found = [("all runs", [(path.name, path) for path in tables])]
    for run in results.runs:
        found.append((f"{run.method}, seed {run.seed}", list(_files(results, run))))
    return [
        Links(run, [(title, quote(relative(path))) for title, path in entries if path.exists()])
        for run, entries in found
        if any(path.exists() for _, path in entries)
    ]


def _files(results: Results, run: Run) -> Iterator[tuple[str, Path]]:
    folder = results.directory(run)
    for network in NETWORK_OF.values():
        yield f"{network} weights", folder / network / "weights.pt"
    for stage in run.stages:
        yield f"{stage} {'maps' if stage == 'cam' else 'masks'}", folder / stage
    yield "scores", folder / "scores"
    yield "class coverage", folder / "class_coverage.csv"
    yield "logs", folder / "logs"
