"""Reads checkpoints that others saved with torch or safetensors; runs no code from them."""

from pathlib import Path
from typing import Any

from safetensors import SafetensorError
from safetensors.torch import load_file

from wsss_core.data.weights import load_plain, named_tensors
from wsss_core.pretrained.tensor_names import Tensors
from wsss_core.runtime.errors import UserError
from wsss_core.runtime.file_digest import file_digest

SAFETENSORS = ".safetensors"  # a format that holds only tensors; their order has no meaning


def read_checkpoint(path: Path) -> Tensors:
    """Reads the tensors of a state dict, bare or under the key `state_dict` as in our own files.

    Args:
        path: A safetensors file if it ends in `.safetensors`, otherwise a file of `torch.save`.

    Raises:
        UserError: The file is missing or damaged, requires running code, or holds no state dict.
    """
    content = _load_safetensors(path) if path.suffix == SAFETENSORS else load_plain(path)
    if isinstance(content, dict) and "state_dict" in content:
        content = content["state_dict"]
    return named_tensors(content, path)


def _load_safetensors(path: Path) -> Tensors:
    if not path.is_file():
        raise UserError(f"{path}: weights file not found")
    try:
        return load_file(path)
    except (SafetensorError, OSError) as error:
        raise UserError(f"{path}: not a readable weights file ({error})") from error


def read_metadata(path: Path) -> dict[str, Any]:
    """Reads the metadata that our files hold beside the tensors; empty for files of others."""
    if path.suffix == SAFETENSORS:  # our own files are of torch
        return {}
    content = load_plain(path)
    return dict(content.get("metadata", {})) if isinstance(content, dict) else {}


def check_sha256(path: Path, expected: str | None) -> None:
    """Raises UserError if the sha256 of a file is not the expected one; None accepts any file."""
    if expected is None:
        return
    if not path.is_file():
        raise UserError(f"{path}: weights file not found")
    found = file_digest(path)
    if found != expected:
        raise UserError(f"{path}: sha256 is {found}; expected {expected}")
