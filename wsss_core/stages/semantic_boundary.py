"""Stage semantic_boundary: the label maps whose boundaries guide the smoothness loss."""

import numpy as np
from numpy.typing import NDArray


def gate_by_label(mask: NDArray[np.uint8], label: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Makes background of every class that the image-level label rules out.

    Args:
        mask: Predicted class ids uint8 [H, W].
        label: Multi-hot uint8 [K].

    Returns:
        uint8 [H, W].
    """
    possible = np.concatenate([[1], label]).astype(bool)
    return np.where(possible[mask], mask, 0).astype(np.uint8)
