"""Writes files of arrays in MXNet's format, in all three versions of its array header."""

import struct
from pathlib import Path

import numpy as np


def array_bytes(array, *, header="v2", type_flag=0, storage=0) -> bytes:
    dims = array.shape
    start = {
        "v2": struct.pack("<IiI", 0xF993FAC9, storage, len(dims)),
        "v1": struct.pack("<II", 0xF993FAC8, len(dims)),
        "legacy": struct.pack("<I", len(dims)),
    }[header]
    size = "I" if header == "legacy" else "q"
    device = struct.pack("<ii", 1, 0)
    return (
        start
        + struct.pack(f"<{len(dims)}{size}", *dims)
        + device
        + struct.pack("<i", type_flag)
        + np.ascontiguousarray(array, dtype="<f4").tobytes()
    )


def params_bytes(arrays, *, magic=0x112, names=None, **options) -> bytes:
    names = list(arrays) if names is None else names
    parts = [struct.pack("<QQQ", magic, 0, len(arrays))]
    parts += [array_bytes(array, **options) for array in arrays.values()]
    parts.append(struct.pack("<Q", len(names)))
    parts += [struct.pack("<Q", len(name)) + name.encode("ascii") for name in names]
    return b"".join(parts)


def write_params(path: Path, arrays, **options) -> Path:
    path.write_bytes(params_bytes(arrays, **options))
    return path
