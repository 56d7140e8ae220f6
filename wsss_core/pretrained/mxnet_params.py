"""Reads MXNet's files of arrays (`.params`) without MXNet, one array at a time.

Layout, little endian (mxnet, src/ndarray/ndarray.cc):

    uint64 0x112, uint64 0          magic and a reserved word
    uint64 n, n arrays              see `_Reader.skip_array`
    uint64 n, n x (uint64 length, name)
"""

import math
import struct
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
from numpy.typing import NDArray

from wsss_core.runtime.errors import UserError

FILE_MAGIC = 0x112
MAGIC_V1, MAGIC_V2 = 0xF993FAC8, 0xF993FAC9
DENSE = 0  # storage type; the others are sparse
FLOAT32 = 0  # type flag
MAX_DIMS = 32  # more than MXNet or NumPy allow; a larger word is not a number of dimensions


def read_params(path: Path) -> Iterator[tuple[str, NDArray[np.float32]]]:
    """Reads the arrays of a `.params` file, in the order of the file.

    The names are at the end of the file. All headers and names are therefore read and checked
    first, without the values. A damaged file is refused before the first array is returned.

    Yields:
        The name, with its prefix `arg:` or `aux:`, and the array.

    Raises:
        UserError: The file is missing or damaged, or holds something other than float32 arrays.
    """
    if not path.is_file():
        raise UserError(f"{path}: file of MXNet arrays not found")
    with path.open("rb") as file:
        reader = _Reader(file, path)
        magic, reserved, count = reader.unpack("<3Q", "the file's header")
        if magic != FILE_MAGIC or reserved:
            raise UserError(
                f"{path}: not a file of MXNet arrays: it begins with {magic:#x}, {reserved:#x}; "
                f"expected {FILE_MAGIC:#x}, 0x0"
            )
        places = [reader.skip_array(index) for index in range(count)]
        names = reader.names(count)
        for name, (start, shape) in zip(names, places, strict=True):
            array = np.empty(shape, dtype="<f4")
            file.seek(start)
            file.readinto(array.data.cast("B"))
            yield name, array


class _Reader:
    """A position in the file; checks before each read that the file is long enough."""

    def __init__(self, file: BinaryIO, path: Path) -> None:
        self.file = file
        self.path = path
        self.size = path.stat().st_size

    def unpack(self, form: str, what: str) -> tuple[Any, ...]:
        """Reads numbers; `form` is a format of the module struct."""
        self.expect(struct.calcsize(form), what)
        return struct.unpack(form, self.file.read(struct.calcsize(form)))

    def expect(self, num_bytes: int, what: str) -> None:
        left = self.size - self.file.tell()
        if num_bytes > left:
            raise UserError(
                f"{self.path}: the file is cut short: expected {num_bytes} bytes of {what}, "
                f"found {left}"
            )

    def skip_array(self, index: int) -> tuple[int, tuple[int, ...]]:
        """Reads an array's header and skips its values.

        The format of the header has three versions. V2: magic, int32 storage type, uint32 number of
        dimensions, int64 dimensions. V1: the same without the storage type. The oldest version has
        no
        magic: number of dimensions and dimensions, both uint32. Then, in all versions, follow three
        int32: type and number of the array's device, and the type of the values.

        Returns:
            The position of the values in the file, and the shape.
        """
        what = f"array {index}"
        (word,) = self.unpack("<I", what)
        dim_format = "q"
        if word == MAGIC_V2:
            (storage,) = self.unpack("<i", what)
            if storage != DENSE:
                raise UserError(
                    f"{self.path}: {what} has storage type {storage}; expected {DENSE} (dense)"
                )
        if word in (MAGIC_V1, MAGIC_V2):
            (num_dims,) = self.unpack("<I", what)
        else:
            num_dims, dim_format = word, "I"
        if not 0 < num_dims <= MAX_DIMS:
            raise UserError(
                f"{self.path}: {what} begins with {word:#x} and has {num_dims} dimensions; "
                f"expected {MAGIC_V2:#x}, {MAGIC_V1:#x} or 1 to {MAX_DIMS} dimensions"
            )
        shape = self.unpack(f"<{num_dims}{dim_format}", what)
        if min(shape) < 1:
            raise UserError(f"{self.path}: {what} has shape {list(shape)}; expected positive sides")
        *_, type_flag = self.unpack("<3i", what)
        if type_flag != FLOAT32:
            raise UserError(
                f"{self.path}: {what} has numbers of type {type_flag}; expected {FLOAT32} (float32)"
            )
        num_bytes = 4 * math.prod(shape)
        self.expect(num_bytes, what)
        start = self.file.tell()
        self.file.seek(num_bytes, 1)
        return start, shape

    def names(self, expected: int) -> list[str]:
        """Reads the names of all arrays, which are the end of the file."""
        (count,) = self.unpack("<Q", "the number of names")
        if count != expected:
            raise UserError(
                f"{self.path}: {count} names of {expected} arrays; expected one of each"
            )
        names = []
        for index in range(count):
            (length,) = self.unpack("<Q", f"name {index}")
            self.expect(length, f"name {index}")
            names.append(self.file.read(length).decode(errors="replace"))
        if left := self.size - self.file.tell():
            raise UserError(f"{self.path}: {left} bytes after the last name; expected none")
        if repeated := [name for name, times in Counter(names).items() if times > 1]:
            raise UserError(f"{self.path}: '{repeated[0]}' occurs twice; expected distinct names")
        return names
