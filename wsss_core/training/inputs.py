"""Computes digests of the inputs of trainings.

A digest depends only on content, not on paths, times or shards. This module imports quickly: to
take a training from the store, torch is not needed.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from wsss_core.config.init_file import PACKAGE, TIMM
from wsss_core.data.dataset import TRAIN_SPLIT, Dataset
from wsss_core.data.mask_files import find_masks
from wsss_core.data.score_maps import ScoreReader
from wsss_core.runtime.errors import UserError
from wsss_core.runtime.file_digest import file_digest


def picture_digests(dataset: Dataset) -> dict[str, str]:
    """Computes digests of the classes and of the training pictures, in their order.

    The digests of single pictures come from a table that prepare_dataset has written.
    """
    if dataset.image_digests is None:
        raise UserError(f"{dataset.root}: has no image_digests.csv; expected a prepared dataset")
    pictures = _of_images(dataset.split(TRAIN_SPLIT), dataset.image_digests)
    return {"classes": _digest(list(dataset.class_names)), "pictures": pictures}


def classifier_digests(
    dataset: Dataset, boundaries: Sequence[Path], canny: Path | None
) -> dict[str, str | None]:
    """Computes `picture_digests`, and digests of labels and of the smoothing branch's inputs."""
    table = {image_id: label.tolist() for image_id, label in dataset.labels.items()}
    edges = mask_digest([canny], dataset, what="edge map") if canny else None
    masks = mask_digest(boundaries, dataset, what="segmentation") if boundaries else None
    labels = _of_images(dataset.split(TRAIN_SPLIT), table)
    return {**picture_digests(dataset), "labels": labels, "boundaries": masks, "canny": edges}


def mask_digest(directories: Sequence[Path], dataset: Dataset, *, what: str) -> str:
    """Computes a digest of the training images' masks, or of other PNG files by id."""
    ids = dataset.split(TRAIN_SPLIT)
    found = find_masks(directories, what=what)
    table = {image_id: file_digest(found[image_id]) for image_id in ids if image_id in found}
    return _of_images(ids, table)


def seed_digest(paths: Sequence[Path], dataset: Dataset) -> str:
    """Computes a digest of the training images' CRF seeds.

    It uses the checksum of each image that the seed files store. The gigabytes of seeds are not
    read; each checksum is compared when the training reads the image.
    """
    seeds = ScoreReader(paths, kind="seed", class_names=dataset.class_names)
    ids = dataset.split(TRAIN_SPLIT)
    table = {i: seeds.checksum(i) for i in set(ids).intersection(seeds.image_ids)}
    return _of_images(ids, table)


def without_places(config: Any) -> Any:
    """Removes the paths of weights files from a config section; their content counts instead."""
    if isinstance(config, list):
        return [without_places(value) for value in config]
    if not isinstance(config, dict):
        return config
    kept = {key: without_places(value) for key, value in config.items()}
    if is_file(kept.get("weights")):
        kept["weights"] = "file"
        kept.pop("sha256", None)
    return kept


def is_file(weights: object) -> bool:
    """Tells whether a value of a key `weights` is the path or address of a file."""
    return isinstance(weights, str) and weights != TIMM and not weights.startswith(PACKAGE)


def _of_images(ids: Sequence[str], table: Mapping[str, object]) -> str:
    """Computes a digest of image digests; missing images are reported later, by the training."""
    return _digest([[image_id, table.get(image_id)] for image_id in ids])


def _digest(value: object) -> str:
    return hashlib.sha256(json.dumps(value).encode()).hexdigest()
