"""How long the jobs of a dry run will take, by what they, or others of their rule, took before."""

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
    """A job that would run.

    Attributes:
        rule: Its rule.
        record: Where Snakemake's benchmark of it is, or will be; None: it has none.
        records: That path for any job of the rule, with wildcards in braces.
        needs: How much it takes of each resource, such as `{"cores": 2, "gpu": 1}`.
        after: Indices of the jobs that must end before it, all of which stand before it.
    """

    rule: str
    record: Path | None
    records: Path | None
    needs: Mapping[str, float]
    after: Sequence[int]


class Expected(NamedTuple):
    """How long jobs will take.

    Attributes:
        seconds: Of those whose rule has a record.
        unknown: Rules of the others, sorted.
    """

    seconds: float
    unknown: Sequence[str]


def expect(jobs: Sequence[PlannedJob], available: Mapping[str, float]) -> Expected:
    """Expects the end of the longest chain of jobs, or of what a resource has to do, if later.

    Args:
        jobs: Each after those that it waits for.
        available: How much there is of each resource; of others there is no end.
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
    """What it took before, or the middle one of the jobs of its rule; None: none has run."""
    if job.record is None:
        return 0.0  # its command is not worth a record
    before = _read(job.record)
    others = _all_seconds(WILDCARD.sub("*", str(job.records))) if before is None else ()
    return median(others) if others else before


@cache
def _all_seconds(pattern: str) -> Sequence[float]:
    found = (_read(path) for path in glob(pattern))  # noqa: PTH207 - patterns may be absolute
    return [seconds for seconds in found if seconds is not None]


def _read(path: str | Path) -> float | None:
    """Seconds of a record; None: there is none, or Snakemake could not measure."""
    try:
        with Path(path).open(encoding="utf-8", newline="") as file:
            row = next(csv.DictReader(file, delimiter="\t"), {})
        return float(row.get("s", ""))
    except (OSError, ValueError):
        return None
