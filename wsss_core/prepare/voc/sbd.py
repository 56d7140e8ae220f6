"""Masks of the Semantic Boundaries Dataset, which come as MATLAB files."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from scipy.io import loadmat


def read_sbd_mask(path: Path) -> NDArray[np.uint8]:
    """Reads the mask of cls/<id>.mat, the matrix GTcls.Segmentation.

    Args:
        path: The file.

    Returns:
        uint8 [H, W]: 0 background, k the k-th class of VOC; SBD ignores no pixel.

    Raises:
        ValueError: It is another or a damaged file; without its name.
    """
    try:
        content = loadmat(path, variable_names=["GTcls"])
    except Exception as error:  # scipy reports damage by whatever it runs into
        raise ValueError(f"cannot be read ({error})") from None
    struct = content.get("GTcls")
    if struct is None or "Segmentation" not in (struct.dtype.names or ()) or struct.size != 1:
        raise ValueError("has no struct GTcls with a field Segmentation")
    mask = struct["Segmentation"].item()
    if mask.dtype != np.uint8 or mask.ndim != 2 or not mask.size:
        shape = "x".join(map(str, mask.shape))
        raise ValueError(f"has GTcls.Segmentation of {mask.dtype}, {shape}")
    return np.ascontiguousarray(mask)
