"""What can be said of masks without true ones: how they agree with the images' tags."""

from __future__ import annotations

import io
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from wsss_core.figures.report.results import Results
from wsss_core.runtime.checked_text import read_checked

FOUND = 1.0  # percent of a picture, from where a class counts as found in it


@dataclass(frozen=True)
class Coverage:
    """One class in the masks of one run.

    Attributes:
        name: of the class.
        tagged: pictures that have its tag.
        found: pictures in whose mask it is.
        both: pictures that have its tag and show it.
        share: percent of all pixels.
    """

    name: str
    tagged: int
    found: int
    both: int
    share: float


@dataclass(frozen=True)
class Agreement:
    """How one mask and the tags of its picture agree.

    Attributes:
        score: percent, the tags that were found among all classes that are tagged or found.
        note: what is missing and what is there without a tag.
    """

    score: float
    note: str


def read_shares(results: Results) -> dict[str, pd.DataFrame]:
    """Reads percent of each class by image, of the first run of each method that has masks."""
    paths = {
        method: results.directory(results.first_run(method)) / "class_coverage.csv"
        for method in results.methods
        if results.first_run(method).stages[-1] != "cam"
    }
    return {
        method: pd.read_csv(
            io.StringIO(read_checked(path)), dtype={"image": str}, keep_default_na=False
        ).set_index("image")
        for method, path in paths.items()
    }


def class_coverage(
    shares: pd.DataFrame, labels: Mapping[str, NDArray[np.uint8]], classes: Sequence[str]
) -> list[Coverage]:
    """Counts, class by class, tags and what masks show.

    Args:
        shares: percent by image (index) and class.
        labels: uint8 [K] multi-hot label by image.
        classes: the K foreground classes.
    """
    tags = np.array([labels[image] for image in shares.index], dtype=bool)  # [N, K]
    found = shares[list(classes)].to_numpy() >= FOUND
    return [
        Coverage(
            name=name,
            tagged=int(tags[:, k].sum()),
            found=int(found[:, k].sum()),
            both=int((tags & found)[:, k].sum()),
            share=float(shares[name].mean()),
        )
        for k, name in enumerate(classes)
    ]


def agreements(
    shares: pd.DataFrame, labels: Mapping[str, NDArray[np.uint8]], classes: Sequence[str]
) -> dict[str, Agreement]:
    """Compares each picture's mask with its tags; the arguments are those of class_coverage."""
    table = shares[list(classes)]
    result = {}
    for image, row in zip(table.index, table.to_numpy(), strict=True):
        tags, found = labels[image].astype(bool), row >= FOUND
        either = int((tags | found).sum())
        score = 100 * int((tags & found).sum()) / either if either else 100.0
        missing = [name for name, k in zip(classes, tags & ~found, strict=True) if k]
        extra = [name for name, k in zip(classes, found & ~tags, strict=True) if k]
        notes = [f"not found: {', '.join(missing)}"] if missing else []
        notes += [f"without a tag: {', '.join(extra)}"] if extra else []
        result[str(image)] = Agreement(score, "; ".join(notes))
    return result
