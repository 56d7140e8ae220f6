"""Finds the masks of a stage, which writes one directory per shard."""

from collections.abc import Iterable
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from wsss_core.data.images import IGNORE_INDEX, read_mask
from wsss_core.runtime.errors import UserError


def find_masks(directories: Iterable[Path], *, what: str = "mask") -> dict[str, Path]:
    """Finds the mask of each image in directories with files `<id>.png`.

    Args:
        directories: Directories in the order of the result. No image may be in two of them.
        what: Word for a mask in error messages.

    Returns:
        Path by image id, sorted by name within each directory.

    Raises:
        UserError: A directory is missing, or an image has two masks.
    """
    found: dict[str, Path] = {}
    for directory in directories:
        if not directory.is_dir():
            raise UserError(f"{directory}: no such directory, expected {what}s named <image>.png")
        for path in sorted(directory.glob("*.png")):
            if path.stem in found:
                raise UserError(f"{path}: there is a {what} {found[path.stem]} already")
            found[path.stem] = path
    return found


def read_mask_of(image: NDArray[np.uint8], path: Path, *, num_classes: int) -> NDArray[np.uint8]:
    """Reads the mask of an image for training, and checks that it fits the image.

    Args:
        image: The image, [H, W, 3].
        path: The mask file.
        num_classes: K, without background.

    Returns:
        uint8 [H, W] class ids 0..K, 255 ignored.

    Raises:
        UserError: The mask has another size than its image, or a class index above K.
    """
    mask = read_mask(path)
    if mask.shape != image.shape[:2]:
        raise UserError(
            f"{path}: {mask.shape[1]}x{mask.shape[0]} pixels, its image has "
            f"{image.shape[1]}x{image.shape[0]}"
        )
    highest = int(np.max(mask, initial=0, where=mask != IGNORE_INDEX))
    if highest > num_classes:
        raise UserError(
            f"{path}: class index {highest}, expected 0 to {num_classes} or {IGNORE_INDEX}"
        )
    return mask
