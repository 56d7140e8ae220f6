"""Reads masks of the Semantic Boundaries Dataset (SBD), which are MATLAB files."""

from __future__ import annotations

import struct
import zlib
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from scipy.io import loadmat

HEADER = 128  # bytes of a MAT file before its first element
COMPRESSED = 15  # type of an element that is compressed by zlib
LARGEST = 2**27  # bytes; the largest of SBD's own files have one megabyte


def read_sbd_mask(path: Path) -> NDArray[np.uint8]:
    """Reads the mask of cls/<id>.mat: the matrix GTcls.Segmentation.

    Args:
        path: The file.

    Returns:
        uint8 [H, W]: 0 background, k the k-th class of VOC. SBD has no ignored pixels.

    Raises:
        ValueError: The file is damaged or has other content. The message does not name the file.
    """
    if _unpacked_size(path) > LARGEST:
        raise ValueError(f"has more than {LARGEST >> 20} MiB unpacked")
    try:
        content = loadmat(path, variable_names=["GTcls"])
    except Exception as error:  # scipy raises any kind of error for a damaged file
        raise ValueError(f"cannot be read ({error})") from None
    found = content.get("GTcls")
    if found is None or "Segmentation" not in (found.dtype.names or ()) or found.size != 1:
        raise ValueError("has no struct GTcls with a field Segmentation")
    mask = found["Segmentation"].item()
    if mask.dtype != np.uint8 or mask.ndim != 2 or not mask.size:
        shape = "x".join(map(str, mask.shape))
        raise ValueError(f"has GTcls.Segmentation of {mask.dtype}, {shape}")
    return np.ascontiguousarray(mask)


def _unpacked_size(path: Path) -> int:
    """Computes the unpacked size of a MAT file's elements in bytes, or a number above `LARGEST`.

    A few compressed kilobytes can unpack to gigabytes of memory before scipy has checked them.
    """
    try:
        data = path.read_bytes()
    except OSError as error:
        raise ValueError(f"cannot be read ({error.strerror})") from None
    total, start = 0, HEADER
    while start + 8 <= len(data) and total <= LARGEST:
        order = "<" if data[126:128] == b"IM" else ">"
        kind, length = struct.unpack_from(f"{order}II", data, start)
        part = data[start + 8 : start + 8 + length]
        if kind != COMPRESSED:
            total += len(part)
            start += 8 + length + -length % 8  # uncompressed elements start at multiples of 8 bytes
            continue
        try:
            total += len(zlib.decompressobj().decompress(part, LARGEST + 1))
        except zlib.error as error:
            raise ValueError(f"cannot be read ({error})") from None
        start += 8 + length
    return total
