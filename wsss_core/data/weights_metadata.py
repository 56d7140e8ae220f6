"""Reads the metadata of a weights file without torch, for pages about a network."""

from __future__ import annotations

import pickle
import zipfile
from pathlib import Path
from typing import Any

from wsss_core.runtime.errors import UserError


def read_metadata(path: Path) -> dict[str, Any]:
    """Reads the metadata of a file of `save_weights`. Reads no tensor and runs no code.

    Raises:
        UserError: The file is missing or damaged, or was not written by `save_weights`.
    """
    try:
        with zipfile.ZipFile(path) as archive:
            (member,) = (name for name in archive.namelist() if name.endswith("/data.pkl"))
            with archive.open(member) as file:
                metadata = _WithoutTensors(file).load()["metadata"]
    except FileNotFoundError:
        raise UserError(f"{path}: weights file not found") from None
    except Exception as error:  # a damaged pickle can raise anything
        raise UserError(f"{path}: not a readable weights file of this project") from error
    if not isinstance(metadata, dict):
        raise UserError(f"{path}: not a readable weights file of this project")
    return metadata


class _WithoutTensors(pickle.Unpickler):
    """Reads None for each tensor. Calls only `dict` and `_nothing`, whatever the pickle names."""

    def find_class(self, module: str, name: str) -> Any:
        return dict if (module, name) == ("collections", "OrderedDict") else _nothing

    def persistent_load(self, pid: Any) -> None:
        return None


def _nothing(*_: object) -> None:
    """Replaces all functions of the pickle, such as the one that builds a tensor."""
