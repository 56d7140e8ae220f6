"""Time and memory of each stage, from the files that Snakemake's benchmarks are."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

import pandas as pd

from wsss_core.figures.report.results import Results

# Rules of a run in the order they run; others, by name, come after them.
ORDER = (
    *("train_classifier", "infer_cam", "crf_seeds", "train_affinity", "random_walk"),
    *("train_segmenter", "segment", "segment_crf", "semantic_boundary", "evaluate"),
)


@dataclass(frozen=True)
class Cost:
    """What one rule took, all its jobs together.

    Attributes:
        seconds: of all jobs, one after another.
        cpu_seconds: that processors worked.
        memory: of the largest job, in MB.
    """

    seconds: float
    cpu_seconds: float
    memory: float


@dataclass(frozen=True)
class Costs:
    """What the stages of all runs took.

    Attributes:
        by_rule: by rule and method.
        started: when the first job began that still has its record; None: there is none.
        ended: when the last one ended.
    """

    by_rule: Mapping[str, Mapping[str, Cost]]
    started: datetime | None
    ended: datetime | None

    def all_methods(self, rule: str) -> Cost:
        """What a rule took for all methods."""
        return _sum([*self.by_rule[rule].values()])

    def method(self, name: str) -> Cost | None:
        """What all rules of a method took."""
        found = [row[name] for row in self.by_rule.values() if name in row]
        return _sum(found) if found else None

    @property
    def total(self) -> Cost:
        """What all of it took."""
        return _sum([cost for row in self.by_rule.values() for cost in row.values()])


def read_costs(results: Results) -> Costs:
    """Reads the records of all jobs of all runs."""
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
    """One job's record; None where Snakemake could not measure it."""
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
