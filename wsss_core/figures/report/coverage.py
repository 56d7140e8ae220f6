"""Compares predicted masks with image tags, for datasets without true masks."""

from __future__ import annotations

import io
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from wsss_core.figures.report.results import Results
from wsss_core.runtime.checked_text import read_checked

FOUND = 1.0  # a class counts as found from this percentage of a picture on


@dataclass(frozen=True)
class Coverage:
    """One class in the masks of one run.

    Attributes:
        name: Name of the class.
        tagged: Number of pictures with its tag.
        found: Number of pictures in whose mask it is found.
        both: Number of pictures with its tag in whose mask it is found.
        share: Percent of the pixels of a picture, mean over all pictures.
    """

    name: str
    tagged: int
    found: int
    both: int
    share: float


@dataclass(frozen=True)
class Agreement:
    """Agreement of the mask and the tags of one picture.

    Attributes:
        score: Percent: classes that are tagged and found, of all that are tagged or found.
        note: Text about classes that are not found, and classes that are found without a tag.
    """

    score: float
    note: str


def read_shares(results: Results) -> dict[str, pd.DataFrame]:
    """Reads class_coverage.csv of the first run of each method with masks: percent, by image."""
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
    """Counts for each class the pictures that have its tag and those in which it is found.

    Args:
        shares: Percent by image (index) and class (column).
        labels: uint8 [K] multi-hot label by image id.
        classes: The K foreground classes.
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
    """Compares the mask of each picture with its tags. Arguments as in class_coverage."""
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
