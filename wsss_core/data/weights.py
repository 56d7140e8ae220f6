"""Weights files: a state dict and what is needed to use it, in one file without pickled code."""

import re
import zipfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

import torch
from torch import Tensor

from wsss_core.runtime.atomic import atomic_file
from wsss_core.runtime.errors import UserError

FORMAT = "wsss-weights-1"


class Weights(NamedTuple):
    """A network's tensors by name, and the facts it was saved with (config, class names, ...)."""

    state_dict: dict[str, Tensor]
    metadata: dict[str, Any]


def save_weights(path: Path, state_dict: dict[str, Tensor], metadata: dict[str, Any]) -> None:
    """Writes a weights file, whole or not at all.

    Args:
        path: Target file.
        state_dict: Tensors by name; they are stored on the CPU.
        metadata: Plain values only (str, numbers, lists, dicts): the file stays loadable with
            `weights_only=True`.
    """
    tensors = {name: tensor.detach().cpu() for name, tensor in state_dict.items()}
    with atomic_file(path) as temporary:
        with temporary.open("wb") as file:
            torch.save({"format": FORMAT, "state_dict": tensors, "metadata": metadata}, file)


def load_plain(path: Path) -> Any:
    """Reads what `torch.save` wrote, as long as it is made of tensors and plain values.

    Files of torch >= 1.6 are mapped into memory, so that a tensor is read when it is used.

    Raises:
        UserError: The file is missing or damaged, or would run code.
    """
    if not Path(path).is_file():
        raise UserError(f"{path}: weights file not found")
    try:
        return torch.load(
            path, map_location="cpu", weights_only=True, mmap=zipfile.is_zipfile(path)
        )
    except Exception as error:  # a damaged pickle can raise anything
        wanted = re.search(r"GLOBAL (\S+)", str(error))
        reason = f": it wants {wanted[1]}; expected only tensors and plain values" if wanted else ""
        raise UserError(f"{path}: not a readable weights file{reason}") from error


def load_weights(path: Path) -> Weights:
    """Reads a weights file without executing anything in it.

    Args:
        path: A file of `save_weights`.

    Returns:
        Its tensors, on the CPU, and metadata.

    Raises:
        UserError: The file is missing or is not one of `save_weights`.
    """
    content = load_plain(path)
    if not isinstance(content, dict) or content.get("format") != FORMAT:
        raise UserError(f"{path}: not a weights file of this project (expected '{FORMAT}')")
    return Weights(content["state_dict"], content["metadata"])


def load_network_weights(path: Path, *, network: str, class_names: Sequence[str] | None) -> Weights:
    """Reads a weights file of one kind of network, trained on the classes of a dataset.

    Args:
        path: A file of `save_weights` with 'network' and 'class_names' in its metadata.
        network: The kind.
        class_names: The foreground classes; None: any.

    Raises:
        UserError: The file holds another network, or one of other classes.
    """
    weights = load_weights(path)
    found, trained_on = weights.metadata.get("network"), weights.metadata.get("class_names", ())
    if found != network:
        raise UserError(f"{path}: weights of '{found}', expected '{network}'")
    if class_names is not None and list(trained_on) != list(class_names):
        raise UserError(
            f"{path}: trained on the classes {', '.join(trained_on)}; the dataset has "
            f"{', '.join(class_names)}"
        )
    return weights
