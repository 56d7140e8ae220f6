"""Stage semantic_boundary: the label maps from which the smoothing branch's boundaries follow."""

import numpy as np
from numpy.typing import NDArray


def gate_by_label(mask: NDArray[np.uint8], label: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Sets every class that the image-level label excludes to background.

    Args:
        mask: uint8 [H, W], predicted class ids.
        label: uint8 [K], multi-hot.

    Returns:
        uint8 [H, W] class ids.
    """
    possible = np.concatenate([[1], label]).astype(bool)
    return np.where(possible[mask], mask, 0).astype(np.uint8)
