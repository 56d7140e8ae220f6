"""Time and memory of each stage, from the benchmark files of Snakemake."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

import pandas as pd

from wsss_core.figures.report.results import Results

# Rules in the order in which they run. Other rules follow in alphabetical order.
ORDER = (
    *("train_classifier", "infer_cam", "crf_seeds", "train_affinity", "random_walk"),
    *("train_segmenter", "segment", "segment_crf", "semantic_boundary", "evaluate"),
)


@dataclass(frozen=True)
class Cost:
    """Time and memory of all jobs of a rule.

    Attributes:
        seconds: Sum of the wall-clock times of all jobs.
        cpu_seconds: Sum of the CPU times of all jobs.
        memory: Memory of the largest job, in MB.
    """

    seconds: float
    cpu_seconds: float
    memory: float


@dataclass(frozen=True)
class Costs:
    """Time and memory of all runs.

    Attributes:
        by_rule: Costs by rule and then by method.
        started: Start of the first job with a benchmark file; None: there is no such file.
        ended: End of the last job with a benchmark file; None: there is no such file.
    """

    by_rule: Mapping[str, Mapping[str, Cost]]
    started: datetime | None
    ended: datetime | None

    def all_methods(self, rule: str) -> Cost:
        """Returns the cost of a rule for all methods."""
        return _sum([*self.by_rule[rule].values()])

    def method(self, name: str) -> Cost | None:
        """Returns the cost of all rules of a method; None: it has no benchmark files."""
        found = [row[name] for row in self.by_rule.values() if name in row]
        return _sum(found) if found else None

    @property
    def total(self) -> Cost:
        """The cost of all rules and methods."""
        return _sum([cost for row in self.by_rule.values() for cost in row.values()])


def read_costs(results: Results) -> Costs:
    """Reads the benchmark files of all runs."""
    found: dict[str, dict[str, list[Cost]]] = {}
    times: list[tuple[float, float]] = []
    for run in results.runs:
        folder = results.directory(run) / "benchmarks"
        for path in sorted(folder.rglob("*.tsv")):
            rule = path.relative_to(folder).with_suffix("").parts[0]
            cost = _read(path)
            if cost is not None:
                found.setdefault(rule, {}).setdefault(run.method, []).append(cost)
                ended = path.stat().st_mtime
                times.append((ended - cost.seconds, ended))
    rules = sorted(
        found, key=lambda name: (name not in ORDER, ORDER.index(name) if name in ORDER else 0, name)
    )
    return Costs(
        by_rule={rule: {m: _sum(jobs) for m, jobs in found[rule].items()} for rule in rules},
        started=datetime.fromtimestamp(min(t for t, _ in times)).astimezone() if times else None,
        ended=datetime.fromtimestamp(max(t for _, t in times)).astimezone() if times else None,
    )


def _read(path: Path) -> Cost | None:
    """Reads the benchmark file of a job; None if Snakemake could not measure it."""
    table = pd.read_csv(path, sep="\t", na_values=["-", "NA"])
    if not len(table) or pd.isna(table["s"].iloc[0]):
        return None
    row = table[["s", "cpu_time", "max_rss"]].fillna(0).iloc[0]
    return Cost(float(row["s"]), float(row["cpu_time"]), float(row["max_rss"]))


def _sum(costs: Sequence[Cost]) -> Cost:
    return Cost(
        sum(cost.seconds for cost in costs),
        sum(cost.cpu_seconds for cost in costs),
        max((cost.memory for cost in costs), default=0.0),
    )
