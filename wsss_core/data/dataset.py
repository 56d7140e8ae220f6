"""A prepared dataset: labels, splits, images and masks, as every stage reads them.

prepare_dataset checks the content of a dataset once. This module only checks that the files have
not changed since. The layout:

    images/<id>.jpg|png   upright RGB images
    masks/<id>.png        0 background, k = k-th class, 255 ignored; not every image has one
    labels.csv            image, then one 0/1 column per class
    classes.txt           one foreground class per line
    splits/<split>.txt    one image id per line
    image_digests.csv, test_digests.csv, mask_digests.csv   image, sha256 of its file

Each table has its own digest beside it (runtime/checked_text.py). A dataset that was not made by
prepare_dataset may have no digests at all.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from wsss_core.data.images import read_image, read_mask
from wsss_core.runtime.checked_text import noted_digest, read_checked
from wsss_core.runtime.errors import UserError, name_some

TRAIN_SPLIT = "train_aug"  # the images for training, with their image-level labels alone
TEST_SPLIT = "test"  # images that are segmented but not scored


@dataclass(frozen=True)
class Dataset:
    """A dataset in the layout of this module.

    Attributes:
        root: Its directory.
        class_names: The K foreground classes; class index k is class_names[k - 1].
        labels: uint8 [K] multi-hot image-level label by image id. Images that are only segmented
            have none.
        image_digests: SHA-256 of each image file by id; None: unknown.
        mask_digests: SHA-256 of each mask file by id; None: unknown.
    """

    root: Path
    class_names: tuple[str, ...]
    labels: dict[str, NDArray[np.uint8]]
    image_digests: Mapping[str, str] | None = field(default=None, repr=False)
    mask_digests: Mapping[str, str] | None = field(default=None, repr=False)

    def has_split(self, name: str) -> bool:
        """Says whether the dataset has a split of this name."""
        return self._split_path(name).is_file()

    def split(self, name: str) -> list[str]:
        """Reads the image ids of a split, in the order of its file.

        Raises:
            UserError: The file is missing or has changed.
        """
        text = read_checked(self._split_path(name))
        return [line for line in text.split("\n") if line]  # ids may have spaces

    def image_path(self, image_id: str) -> Path:
        """Returns the path of an image, a JPEG or PNG file."""
        jpeg = self.root / "images" / f"{image_id}.jpg"
        return jpeg if jpeg.is_file() else jpeg.with_name(f"{image_id}.png")

    def mask_path(self, image_id: str) -> Path:
        """Returns the path of a mask. The file may be missing if the image is not scored."""
        return self.root / "masks" / f"{image_id}.png"

    def read_image(self, image_id: str) -> NDArray[np.uint8]:
        """Reads an image: uint8 [H, W, 3], RGB.

        Raises:
            UserError: The file is missing, damaged or has changed.
        """
        path = self.image_path(image_id)
        return read_image(path, sha256=_digest_of(image_id, self.image_digests, path))

    def read_mask(self, image_id: str) -> NDArray[np.uint8]:
        """Reads a mask: uint8 [H, W] class indices, 255 ignored.

        Raises:
            UserError: The file is missing, damaged or has changed.
        """
        path = self.mask_path(image_id)
        return read_mask(path, sha256=_digest_of(image_id, self.mask_digests, path))

    def _split_path(self, name: str) -> Path:
        return self.root / "splits" / f"{name}.txt"


def open_dataset(root: Path) -> Dataset:
    """Opens a prepared dataset: reads its classes and labels.

    Args:
        root: The directory with classes.txt and labels.csv.

    Raises:
        UserError: A table is missing, damaged or has changed.
    """
    class_names = read_checked(root / "classes.txt").splitlines()
    rows = read_rows(root / "labels.csv", ["image", *class_names])
    for number, row in enumerate(rows, start=2):
        if not set(row[1:]) <= {"0", "1"}:
            raise UserError(f"{root}/labels.csv line {number}: expected 0 or 1 for each class")
    labels = {row[0]: np.array(row[1:], dtype=np.uint8) for row in rows}
    names = ("image_digests.csv", "test_digests.csv", "mask_digests.csv")
    images, test, masks = (_read_digests(root / name) for name in names)
    return Dataset(
        root,
        tuple(class_names),
        labels,
        image_digests=None if images is None else {**images, **(test or {})},
        mask_digests=masks,
    )


def read_rows(path: Path, header: Sequence[str]) -> list[list[str]]:
    """Reads the rows of one of the project's own tables, without the header.

    Args:
        path: CSV file.
        header: The header that the file must have.

    Raises:
        UserError: The file is missing, damaged or has another header.
    """
    try:
        rows = list(csv.reader(io.StringIO(read_checked(path), newline=""), strict=True))
    except csv.Error as error:
        raise UserError(f"{path}: damaged ({error}); expected a table") from None
    if not rows or rows[0] != list(header):
        raise UserError(f"{path}: another header; expected {name_some(header, limit=10)}")
    for number, row in enumerate(rows[1:], start=2):
        if len(row) != len(header):
            raise UserError(f"{path} line {number}: {len(row)} cells; expected {len(header)}")
    return rows[1:]


def _read_digests(path: Path) -> dict[str, str] | None:
    if not path.is_file() and noted_digest(path) is None:
        return None
    return {image_id: digest for image_id, digest in read_rows(path, ["image", "sha256"])}


def _digest_of(image_id: str, digests: Mapping[str, str] | None, path: Path) -> str | None:
    if digests is None:
        return None
    if image_id not in digests:
        raise UserError(f"{path}: not in the digests of the dataset; expected a prepared file")
    return digests[image_id]


def part_ids(dataset: Dataset, part: str, scored_splits: Sequence[str]) -> list[str]:
    """Lists the images of one of the three sets that are processed separately.

    Args:
        dataset: The dataset with the splits.
        part: "eval": the union of the scored splits. "train_only": the other training images.
            "test": the images of the test split that are in neither.
        scored_splits: Splits that are scored by their masks.

    Returns:
        Image ids, sorted.
    """
    scored = {image_id for split in scored_splits for image_id in dataset.split(split)}
    if part == "eval":
        return sorted(scored)
    if part == "train_only":
        return sorted(set(dataset.split(TRAIN_SPLIT)) - scored)
    if part == "test":
        return sorted(set(dataset.split(TEST_SPLIT)) - set(dataset.split(TRAIN_SPLIT)) - scored)
    raise ValueError(f"part is {part!r}; expected 'eval', 'train_only' or 'test'")


def shard_ids(image_ids: Sequence[str], shard: int, num_shards: int) -> list[str]:
    """Takes every num_shards-th image, so that all shards need about the same time.

    Args:
        image_ids: All ids.
        shard: Number of the shard, 0 <= shard < num_shards.
        num_shards: Number of shards.
    """
    if not 0 <= shard < num_shards:
        raise ValueError(f"shard is {shard}; expected 0 to {num_shards - 1}")
    return list(image_ids[shard::num_shards])
