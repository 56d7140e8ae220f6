"""Weights files: a state dict and its metadata in one file, without pickled code."""

import re
import zipfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

import torch
from pydantic import ValidationError
from torch import Tensor

from wsss_core.runtime.atomic import atomic_file
from wsss_core.runtime.errors import UserError, validation_message

FORMAT = "wsss-weights-1"
MOST_CLASSES = 254  # mask values other than 0 (background) and 255 (ignored)


class Weights(NamedTuple):
    """The tensors of a network by name, and its metadata (config, class names, ...)."""

    state_dict: dict[str, Tensor]
    metadata: dict[str, Any]


def save_weights(path: Path, state_dict: dict[str, Tensor], metadata: dict[str, Any]) -> None:
    """Writes a weights file. An error leaves no partial file.

    Args:
        path: The file to write.
        state_dict: Tensors by name; they are stored on the CPU.
        metadata: Plain values only (str, numbers, lists, dicts), so that the file can be loaded
            with `weights_only=True`.
    """
    tensors = {name: tensor.detach().cpu() for name, tensor in state_dict.items()}
    with atomic_file(path) as temporary:
        with temporary.open("wb") as file:
            torch.save({"format": FORMAT, "state_dict": tensors, "metadata": metadata}, file)


def load_plain(path: Path) -> Any:
    """Reads a file of `torch.save` that has only tensors and plain values.

    Files of torch >= 1.6 are mapped into memory: a tensor is read when it is used.

    Raises:
        UserError: The file is missing or damaged, or would run code.
    """
    if not Path(path).is_file():
        raise UserError(f"{path}: weights file not found")
    is_zip = zipfile.is_zipfile(path)
    try:
        content = torch.load(path, map_location="cpu", weights_only=True, mmap=is_zip)
    except Exception as error:  # a damaged pickle can raise anything
        wanted = re.search(r"GLOBAL (\S+)", str(error))
        reason = f": it wants {wanted[1]}; expected only tensors and plain values" if wanted else ""
        raise UserError(f"{path}: not a readable weights file{reason}") from error
    if is_zip and isinstance(content, dict) and content.get("format") == FORMAT:
        _check_checksums(path)
    return content


def _check_checksums(path: Path) -> None:
    """Checks the CRC-32 of each part of a weights file, which torch writes but does not check."""
    try:
        with zipfile.ZipFile(path) as archive:
            damaged = archive.testzip()
    except (zipfile.BadZipFile, NotImplementedError, OSError, EOFError, RuntimeError) as error:
        damaged = str(error)
    if damaged is not None:
        raise UserError(f"{path}: damaged ({damaged} has another checksum); expected it as written")


def load_weights(path: Path) -> Weights:
    """Reads a weights file without executing anything in it.

    Args:
        path: A file of `save_weights`.

    Returns:
        Its tensors, on the CPU, and its metadata.

    Raises:
        UserError: The file is missing or damaged, or was not written by `save_weights`.
    """
    content = load_plain(path)
    if not isinstance(content, dict) or content.get("format") != FORMAT:
        raise UserError(f"{path}: not a weights file of this project (expected '{FORMAT}')")
    tensors, metadata = content.get("state_dict"), content.get("metadata")
    if not isinstance(metadata, dict):
        raise UserError(f"{path}: its metadata is {type(metadata).__name__}; expected a dict")
    return Weights(named_tensors(tensors, path), metadata)


def named_tensors(content: Any, path: Path) -> dict[str, Tensor]:
    """Checks that the content of a file is a dictionary of tensors by name, and returns it.

    Raises:
        UserError: The content is something else.
    """
    if not isinstance(content, dict) or not content:
        raise UserError(f"{path}: holds a {type(content).__name__}; expected tensors by name")
    for name, value in content.items():
        if not isinstance(name, str) or not isinstance(value, Tensor):
            raise UserError(
                f"{path}: {name!r} is a {type(value).__name__}; expected tensors by name"
            )
        if value.is_meta:
            raise UserError(f"{path}: {name} has no values; expected a tensor with them")
    return dict(content)


def load_network_weights(path: Path, *, network: str, class_names: Sequence[str] | None) -> Weights:
    """Reads a weights file of one kind of network, trained on the classes of a dataset.

    Args:
        path: A file of `save_weights` with 'network' and 'class_names' in its metadata.
        network: The kind of network that the file must hold.
        class_names: The foreground classes of the dataset; None: any classes.

    Raises:
        UserError: The file is missing or damaged, or holds another kind of network, or one that was
            trained on other classes.
    """
    weights = load_weights(path)
    found, trained_on = weights.metadata.get("network"), weights.metadata.get("class_names")
    if found != network:
        raise UserError(f"{path}: weights of '{found}', expected '{network}'")
    if not isinstance(trained_on, list) or not all(isinstance(n, str) for n in trained_on):
        raise UserError(f"{path}: class_names is {trained_on!r}; expected a list of names")
    if len(set(trained_on)) != len(trained_on) or not 0 < len(trained_on) <= MOST_CLASSES:
        raise UserError(f"{path}: has {len(trained_on)} class_names; expected 1 to {MOST_CLASSES}")
    if not isinstance(weights.metadata.get("config"), dict):
        raise UserError(f"{path}: has no config; expected that of its network")
    if class_names is not None and list(trained_on) != list(class_names):
        raise UserError(
            f"{path}: trained on the classes {', '.join(trained_on)}; the dataset has "
            f"{', '.join(class_names)}"
        )
    return weights


@contextmanager
def rebuilding(path: Path) -> Iterator[None]:
    """Adds the name of a weights file to errors while its network is rebuilt from its metadata.

    Raises:
        UserError: The metadata is invalid; one line that names the file.
    """
    try:
        yield
    except ValidationError as error:
        raise UserError(f"{path}: {validation_message(error)}") from None
    except UserError as error:
        text = str(error)
        raise UserError(text if text.startswith(str(path)) else f"{path}: {text}") from None
