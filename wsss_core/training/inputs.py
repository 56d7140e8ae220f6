"""Digests of what trainings read, by content: not by place, time, or the shard it comes in.

Quick to import: a training that is found in the store needs no torch.
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
    """Digests of the classes and of the pictures that are trained on, in their order.

    Those of the pictures themselves are in a table that prepare_dataset has written.
    """
    if dataset.image_digests is None:
        raise UserError(f"{dataset.root}: has no image_digests.csv; expected a prepared dataset")
    pictures = _of_images(dataset.split(TRAIN_SPLIT), dataset.image_digests)
    return {"classes": _digest(list(dataset.class_names)), "pictures": pictures}


def classifier_digests(
    dataset: Dataset, boundaries: Sequence[Path], canny: Path | None
) -> dict[str, str | None]:
    """The same with image-level labels, and what the smoothing branch learns from."""
    table = {image_id: label.tolist() for image_id, label in dataset.labels.items()}
    edges = mask_digest([canny], dataset, what="edge map") if canny else None
    masks = mask_digest(boundaries, dataset, what="segmentation") if boundaries else None
    labels = _of_images(dataset.split(TRAIN_SPLIT), table)
    return {**picture_digests(dataset), "labels": labels, "boundaries": masks, "canny": edges}


def mask_digest(directories: Sequence[Path], dataset: Dataset, *, what: str) -> str:
    """Digest of the masks, or other PNG files by id, of the images that are trained on."""
    ids = dataset.split(TRAIN_SPLIT)
    found = find_masks(directories, what=what)
    table = {image_id: file_digest(found[image_id]) for image_id in ids if image_id in found}
    return _of_images(ids, table)


def seed_digest(paths: Sequence[Path], dataset: Dataset) -> str:
    """Digest of the CRF seeds of the images that are trained on.

    It is made of the checksums that the files have of each image, which are compared when an image
    is read: gigabytes of seeds need not be read for it.
    """
    seeds = ScoreReader(paths, kind="seed", class_names=dataset.class_names)
    ids = dataset.split(TRAIN_SPLIT)
    table = {i: seeds.checksum(i) for i in set(ids).intersection(seeds.image_ids)}
    return _of_images(ids, table)


def without_places(config: Any) -> Any:
    """A section of the config without the places of weights files, whose content counts."""
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
    """Whether a value of a key `weights` is the place of a file."""
    return isinstance(weights, str) and weights != TIMM and not weights.startswith(PACKAGE)


def _of_images(ids: Sequence[str], table: Mapping[str, object]) -> str:
    """Digest of the digests of images; what is missing is for the training to tell."""
    return _digest([[image_id, table.get(image_id)] for image_id in ids])


def _digest(value: object) -> str:
    return hashlib.sha256(json.dumps(value).encode()).hexdigest()
