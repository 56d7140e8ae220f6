"""Dictionaries of arrays in `.npy` files, as the published scripts of this field exchange them.

Those read with `np.load(path, allow_pickle=True).item()`, often under a NumPy of before 1.26, which
cannot find `numpy._core`, as the pickles of NumPy 2 name it. So ours name only what every version
has. We write such files for others and never read them.
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
        # A bytearray, since arrays in bytes could not be written to.
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
