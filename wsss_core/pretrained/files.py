"""Checkpoints that others saved with torch or safetensors; nothing in them is run."""

from pathlib import Path
from typing import Any

from safetensors import SafetensorError
from safetensors.torch import load_file

from wsss_core.data.weights import load_plain, named_tensors
from wsss_core.pretrained.tensor_names import Tensors
from wsss_core.runtime.errors import UserError
from wsss_core.runtime.file_digest import file_digest

SAFETENSORS = ".safetensors"  # a format of tensors alone, listed in no order that means something


def read_checkpoint(path: Path) -> Tensors:
    """Reads the tensors of a state dict, bare or under the key `state_dict` as in our own files.

    Args:
        path: Of safetensors if it ends in `.safetensors`; of `torch.save` otherwise.

    Raises:
        UserError: The file is missing, damaged, wants code to be run, or holds no state dict.
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
    """What a file of ours says about itself beside its tensors; empty for the files of others."""
    if path.suffix == SAFETENSORS:  # ours are of torch
        return {}
    content = load_plain(path)
    return dict(content.get("metadata", {})) if isinstance(content, dict) else {}


def check_sha256(path: Path, expected: str | None) -> None:
    """Raises UserError where a file is not the one that was meant; None accepts any."""
    if expected is None:
        return
    if not path.is_file():
        raise UserError(f"{path}: weights file not found")
    found = file_digest(path)
    if found != expected:
        raise UserError(f"{path}: sha256 is {found}; expected {expected}")
