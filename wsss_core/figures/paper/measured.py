"""Scores of the methods of an experiment, with confidence intervals."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations
from pathlib import Path

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from wsss_core.data.pixel_counts import class_counts, read_pixel_counts
from wsss_core.ops.bootstrap import interval, resampled_miou
from wsss_core.stages.summarise import class_columns, merge_scores


@dataclass(frozen=True)
class Measured:
    """The mean IoU of one method and stage on one split, all in percent.

    Attributes:
        mean: Mean over the seeds.
        sd: Standard deviation over the seeds; None for one seed.
        seeds: Number of seeds; 0 for a score of an evaluation server.
        low: Lower end of the 95 % interval of a bootstrap over the images; None: unknown.
        high: Upper end; None: unknown.
        ious: IoU by class name, background first, mean over the seeds; empty: unknown.
    """

    mean: float
    sd: float | None
    seeds: int
    low: float | None
    high: float | None
    ious: Mapping[str, float]


@dataclass(frozen=True)
class Scores:
    """The scores of one stage.

    Attributes:
        classes: Class names, background first.
        measured: Scores by (method, split).
        unclear: (split, method, method) of pairs whose difference may come from the choice of
            images: their paired interval contains 0.
    """

    classes: tuple[str, ...]
    measured: Mapping[tuple[str, str], Measured]
    unclear: frozenset[tuple[str, str, str]]

    def is_clear(self, split: str, first: str, second: str) -> bool:
        """Says whether two methods differ by more than the choice of images explains."""
        return not {(split, first, second), (split, second, first)} & self.unclear

    def is_best(self, split: str, method: str, rivals: Iterable[str]) -> bool:
        """Says whether a method is clearly better than each measured rival (see `is_clear`).

        Args:
            split: The split of the scores.
            method: The method.
            rivals: Methods to compare with. The method itself is ignored.
        """
        found = [name for name in rivals if name != method and (name, split) in self.measured]
        if (method, split) not in self.measured or not found:
            return False
        own = self.measured[method, split].mean
        return all(
            own > self.measured[rival, split].mean and self.is_clear(split, method, rival)
            for rival in found
        )


def images_path(scores: Path) -> Path:
    """Returns the path of the pixel counts that belong to a file of scores."""
    return scores.with_name(f"{scores.stem}_images.csv")


def read_measured(paths: Sequence[Path]) -> Scores:
    """Reads the scores of one stage of several methods and seeds.

    Args:
        paths: Files of scores. The pixel counts of each are beside it.
    """
    if not paths:
        return Scores((), {}, frozenset())
    summary = merge_scores(paths)
    classes = class_columns(summary)
    samples: dict[tuple[str, str], list[NDArray[np.float64]]] = {}
    for path in paths:
        method = str(merge_scores([path])["method"].iloc[0])
        counts = read_pixel_counts(images_path(path))
        for split, rows in counts.groupby("split"):
            _, totals = class_counts(rows, len(classes))
            samples.setdefault((method, str(split)), []).append(100 * resampled_miou(totals))
    means = {key: np.mean(several, axis=0) for key, several in samples.items()}
    groups = summary.groupby(["method", "split"], sort=False)
    measured = {
        (str(method), str(split)): _measured(rows, classes, means.get((str(method), str(split))))
        for (method, split), rows in groups
    }
    return Scores(tuple(classes), measured, frozenset(_unclear(means)))


def _measured(
    rows: pd.DataFrame, classes: Sequence[str], samples: NDArray[np.float64] | None
) -> Measured:
    low, high = (None, None) if samples is None else interval(samples)
    return Measured(
        mean=float(rows["miou"].mean()),
        sd=float(rows["miou"].std()) if len(rows) > 1 else None,
        seeds=len(rows),
        low=low,
        high=high,
        ious={name: float(rows[name].mean()) for name in classes},
    )


def _unclear(means: Mapping[tuple[str, str], NDArray[np.float64]]) -> set[tuple[str, str, str]]:
    """Finds the pairs of methods, with their split, whose paired interval contains 0."""
    pairs = set()
    for (first, split), (second, other_split) in combinations(means, 2):
        if split == other_split:
            low, high = interval(means[first, split] - means[second, split])
            if low <= 0 <= high:
                pairs.add((split, first, second))
    return pairs
