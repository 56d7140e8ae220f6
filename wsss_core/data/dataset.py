"""A prepared dataset: labels, splits, photographs and masks, as every stage reads them.

Nothing is checked here: prepare_dataset has done so, once. The layout:

    images/<id>.jpg|png   upright RGB photographs
    masks/<id>.png        0 background, k = k-th class, 255 ignored; where there is a mask
    labels.csv            image, then one 0/1 column per class
    classes.txt           one foreground class per line
    splits/<split>.txt    one image id per line
"""

from __future__ import annotations

import csv
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from wsss_core.data.images import read_image, read_mask

TRAIN_SPLIT = "train_aug"  # the images that are trained on, by their labels alone
TEST_SPLIT = "test"  # images that are only segmented, where they are not scored


@dataclass(frozen=True)
class Dataset:
    """A dataset in the layout of this module.

    Attributes:
        root: Its directory.
        class_names: The K foreground classes; class index k is class_names[k - 1].
        labels: uint8 [K] multi-hot image-level label by image id; images that are only segmented
            have none.
    """

    root: Path
    class_names: tuple[str, ...]
    labels: dict[str, NDArray[np.uint8]]

    def has_split(self, name: str) -> bool:
        """Says whether there is a list of images of this name."""
        return self._split_path(name).is_file()

    def split(self, name: str) -> list[str]:
        """Reads the image ids of a split, in the order of its file."""
        text = self._split_path(name).read_text(encoding="utf-8")
        return [line for line in text.split("\n") if line]  # ids may have spaces

    def image_path(self, image_id: str) -> Path:
        """Finds the photograph, a JPEG or a PNG."""
        jpeg = self.root / "images" / f"{image_id}.jpg"
        return jpeg if jpeg.is_file() else jpeg.with_name(f"{image_id}.png")

    def mask_path(self, image_id: str) -> Path:
        """Names the mask, which may be missing for images that are not scored."""
        return self.root / "masks" / f"{image_id}.png"

    def read_image(self, image_id: str) -> NDArray[np.uint8]:
        """Reads the photograph: uint8 [H, W, 3], RGB."""
        return read_image(self.image_path(image_id))

    def read_mask(self, image_id: str) -> NDArray[np.uint8]:
        """Reads the mask: uint8 [H, W] class indices, 255 ignored."""
        return read_mask(self.mask_path(image_id))

    def _split_path(self, name: str) -> Path:
        return self.root / "splits" / f"{name}.txt"


def open_dataset(root: Path) -> Dataset:
    """Opens a prepared dataset: reads its classes and labels.

    Args:
        root: The directory with classes.txt and labels.csv.
    """
    class_names = (root / "classes.txt").read_text(encoding="utf-8").splitlines()
    with (root / "labels.csv").open(newline="", encoding="utf-8") as file:
        rows = list(csv.reader(file))
    assert rows[0] == ["image", *class_names], f"{root}/labels.csv does not match classes.txt"
    labels = {row[0]: np.array(row[1:], dtype=np.uint8) for row in rows[1:]}
    return Dataset(root=root, class_names=tuple(class_names), labels=labels)


def part_ids(dataset: Dataset, part: str, scored_splits: Sequence[str]) -> list[str]:
    """Lists the images of a part: what is scored, the rest of what is trained on, or of the test.

    Args:
        dataset: Where the splits are.
        part: "eval", the union of the scored splits, "train_only", the other training images, or
            "test", the images of the test split that are neither.
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
    """Takes every num_shards-th image, so that all shards are of about equal work.

    Args:
        image_ids: All ids.
        shard: Which shard, 0 <= shard < num_shards.
        num_shards: How many shards there are.
    """
    if not 0 <= shard < num_shards:
        raise ValueError(f"shard is {shard}; expected 0 to {num_shards - 1}")
    return list(image_ids[shard::num_shards])
