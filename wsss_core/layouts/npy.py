"""Writes dictionaries of arrays as `.npy` files, the exchange format of published WSSS scripts.

These scripts read with `np.load(path, allow_pickle=True).item()`, often with NumPy below 1.26. The
pickles of NumPy 2 refer to `numpy._core`, which old versions do not have. So this module writes
pickles that refer only to names which every version has. The project never reads such files.
"""

from __future__ import annotations

import pickle
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

PROTOCOL = 4  # since Python 3.4


class _Pickler(pickle.Pickler):
    def reducer_override(self, value: Any) -> Any:
        if type(value) is not np.ndarray:
            return NotImplemented
        if value.dtype == object:
            return np.array, (value.item(), object)
        # A bytearray, since an array over bytes would be read-only.
        return np.ndarray, (value.shape, value.dtype.str, bytearray(value.tobytes()))


def write_dict(path: Path, content: Mapping[Any, Any]) -> None:
    """Writes a dictionary for `np.load(path, allow_pickle=True).item()`.

    Args:
        path: The file to write.
        content: Arrays, or tensors, by their keys.
    """
    with path.open("wb") as file:
        header = {"descr": "|O", "fortran_order": False, "shape": ()}
        np.lib.format.write_array_header_1_0(file, header)
        _Pickler(file, protocol=PROTOCOL).dump(np.array(dict(content), dtype=object))
