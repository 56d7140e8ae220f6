"""Where the masks of a stage are, which it leaves in a directory for each shard."""

from collections.abc import Iterable
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from wsss_core.data.images import IGNORE_INDEX, read_mask
from wsss_core.runtime.errors import UserError


def find_masks(directories: Iterable[Path], *, what: str = "mask") -> dict[str, Path]:
    """Lists the mask of each image, by id, in directories of `<id>.png`.

    Args:
        directories: Where to look, in this order, and by name in each; no image may be in two.
        what: What messages call a mask.

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
    """Reads the mask that a training learns from together with its image.

    Args:
        image: [H, W, 3].
        path: The mask.
        num_classes: K, without background.

    Returns:
        uint8 [H, W] class ids 0..K, 255 ignored.

    Raises:
        UserError: The mask has another size than its image, or a class that there is not.
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
