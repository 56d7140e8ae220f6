"""Estimates the duration of a dry run's jobs from earlier jobs of the same rules."""

from __future__ import annotations

import csv
import re
from collections.abc import Mapping, Sequence
from functools import cache
from glob import glob
from pathlib import Path
from statistics import median
from typing import NamedTuple

WILDCARD = re.compile(r"\{[^}]*\}")


class PlannedJob(NamedTuple):
    """A job of a dry run.

    Attributes:
        rule: Name of its rule.
        record: Path of Snakemake's benchmark file of the job; None: the rule has none.
        records: The same path for any job of the rule, with wildcards in braces.
        needs: Amount of each resource that it uses, such as `{"cores": 2, "gpu": 1}`.
        after: Indices of the jobs that must end before it; they precede it in the list.
    """

    rule: str
    record: Path | None
    records: Path | None
    needs: Mapping[str, float]
    after: Sequence[int]


class Expected(NamedTuple):
    """The expected duration of jobs.

    Attributes:
        seconds: Duration of the jobs whose rules have records.
        unknown: Rules without records, sorted.
    """

    seconds: float
    unknown: Sequence[str]


def expect(jobs: Sequence[PlannedJob], available: Mapping[str, float]) -> Expected:
    """Estimates the duration: the longest chain of jobs, or the work of the busiest resource.

    Args:
        jobs: The jobs; each follows the jobs that it depends on.
        available: Amount of each limited resource. All other resources are unlimited.
    """
    ends: list[float] = []
    busy = dict.fromkeys(available, 0.0)
    unknown = set()
    for job in jobs:
        seconds = _expected_seconds(job)
        if seconds is None:
            unknown.add(job.rule)
        ends.append(max((ends[index] for index in job.after), default=0.0) + (seconds or 0.0))
        for name, amount in available.items():
            share = job.needs.get(name, 0.0) / amount if amount else 0.0
            busy[name] += min(1.0, share) * (seconds or 0.0)
    return Expected(max([*ends, *busy.values()], default=0.0), sorted(unknown))


def _expected_seconds(job: PlannedJob) -> float | None:
    """Returns the job's earlier duration, or the median of its rule's jobs; None if unknown."""
    if job.record is None:
        return 0.0  # its rule is too short to have a record
    before = _read(job.record)
    others = _all_seconds(WILDCARD.sub("*", str(job.records))) if before is None else ()
    return median(others) if others else before


@cache
def _all_seconds(pattern: str) -> Sequence[float]:
    found = (_read(path) for path in glob(pattern))  # noqa: PTH207 - patterns may be absolute
    return [seconds for seconds in found if seconds is not None]


def _read(path: str | Path) -> float | None:
    """Reads the seconds of a record; None if it is missing or has no measurement."""
    try:
        with Path(path).open(encoding="utf-8", newline="") as file:
            row = next(csv.DictReader(file, delimiter="\t"), {})
        return float(row.get("s", ""))
    except (OSError, ValueError):
        return None
