"""Writes model cards and a dataset card in Markdown."""

from __future__ import annotations

import csv
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined

from wsss_core.data.dataset import Dataset, open_dataset
from wsss_core.data.dataset_digest import dataset_digest
from wsss_core.data.weights_metadata import read_metadata
from wsss_core.figures.report.results import NETWORK_OF, Results, Run
from wsss_core.runtime.atomic import atomic_file

TEMPLATES = Path(__file__).parent / "templates"
MODEL_CARD, DATASET_CARD = "MODEL_CARD.md", "DATASET_CARD.md"
NETWORK = NETWORK_OF["segmentation"]  # the network for new images


def write_cards(results: Results) -> None:
    """Writes the dataset card, and a model card beside the weights of each segmentation network.

    Args:
        results: The results of the experiment.
    """
    dataset = open_dataset(results.data)
    facts = {
        "name": results.data.parent.name,
        "dataset": dataset,
        "digest": dataset_digest(results.data),
        "splits": {
            name: len(dataset.split(name))
            for name in dict.fromkeys(["train_aug", *results.splits, "test"])
            if dataset.has_split(name)
        },
        "tagged": tagged_images(dataset),
        "scored": results.splits,
    }
    _write(results.folder / DATASET_CARD, facts)
    for run in results.runs:
        if "segmentation" in run.stages:
            folder = results.directory(run) / NETWORK
            card = read_metadata(folder / "weights.pt")
            scores = scores_of(results, run, dataset.class_names)
            _write(folder / MODEL_CARD, {**facts, "run": run, "card": card, "scores": scores})


def tagged_images(dataset: Dataset) -> dict[str, int]:
    """Counts the images with each class in their label."""
    labels = list(dataset.labels.values())
    return {
        name: sum(int(label[k]) for label in labels) for k, name in enumerate(dataset.class_names)
    }


def scores_of(results: Results, run: Run, class_names: Sequence[str]) -> list[Sequence[str]]:
    """Returns rows of text: stage, split, mIoU, IoU of each class. Empty if there are no masks."""
    names = ["miou", "background", *class_names]
    rows: list[Sequence[str]] = []
    for stage in run.stages if results.splits else ():
        with results.scores(run, stage).open(newline="", encoding="utf-8") as file:
            for row in csv.DictReader(file):
                values = [f"{float(row[name]):.1f}" if row[name] else "" for name in names]
                rows.append((stage, row["split"], *values))
    return rows


def _write(path: Path, facts: dict[str, Any]) -> None:
    environment = Environment(
        loader=FileSystemLoader(TEMPLATES),
        autoescape=False,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    text = environment.get_template(path.name.lower()).render(facts)
    with atomic_file(path) as partial_path:
        partial_path.write_text(text, encoding="utf-8")
