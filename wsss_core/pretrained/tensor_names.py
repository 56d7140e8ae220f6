"""Checks that the tensors in a file are those of a network: names, shapes and values."""

from collections.abc import Mapping
from typing import TypeVar

import torch
from torch import Tensor, nn

from wsss_core.runtime.errors import UserError, name_some

Tensors = dict[str, Tensor]
Shapes = dict[str, tuple[int, ...]]
T = TypeVar("T")
# Prefixes of names if a network was saved as part of another, such as DistributedDataParallel.
PREFIXES = ("", "module.", "model.", "backbone.", "module.model.", "module.backbone.")
FLOATS = (torch.float32, torch.float16, torch.bfloat16, torch.float64)
COUNTER = "num_batches_tracked"  # of BatchNorms; newer versions of torch save it, nothing reads it


def tensor_shapes(tensors: Mapping[str, Tensor]) -> Shapes:
    """Returns the shapes of a state dict, except BatchNorms' counters."""
    return {name: tuple(t.shape) for name, t in tensors.items() if not name.endswith(COUNTER)}


def below(prefix: str, tensors: Mapping[str, T]) -> dict[str, T]:
    """Selects the entries whose names start with a prefix, and removes the prefix."""
    return {
        name.removeprefix(prefix): tensor
        for name, tensor in tensors.items()
        if name.startswith(prefix)
    }


def differences(found: Shapes, expected: Shapes) -> str:
    """Describes in one line what is missing, extra or of the wrong shape; empty if nothing is.

    Args:
        found: The actual shapes by name.
        expected: The expected shapes by name.
    """
    misshapen = [
        f"{name} is {list(found[name])} and should be {list(shape)}"
        for name, shape in expected.items()
        if name in found and found[name] != shape
    ]
    lists = {
        "missing": [name for name in expected if name not in found],
        "extra": [name for name in found if name not in expected],
        "mis-shaped": misshapen,
    }
    return "; ".join(f"{kind}: {name_some(names)}" for kind, names in lists.items() if names)


def check_tensors(tensors: Mapping[str, Tensor], expected: Shapes, *, what: str) -> None:
    """Compares a file's tensors with the expected ones, both by the file's names.

    Args:
        tensors: The tensors of the file.
        expected: The expected shapes by name.
        what: Start of the message: the file, and what it was expected to hold.

    Raises:
        UserError: Names, shapes or values are wrong. The message lists the differences.
    """
    if different := differences(tensor_shapes(tensors), expected):
        raise UserError(f"{what}: {different}")
    check_values({name: tensors[name] for name in expected}, what=what)


def check_values(tensors: Mapping[str, Tensor], *, what: str) -> None:
    """Refuses tensors that torch would load although they are not valid weights.

    Raises:
        UserError: A tensor is not of plain floating-point numbers, or has NaN or infinite values.
    """
    bad = [
        f"{name} {fault}"
        for name, tensor in tensors.items()
        if not name.endswith(COUNTER) and (fault := _fault(tensor))
    ]
    if bad:
        raise UserError(f"{what}: {name_some(bad)}; expected finite floating-point numbers")


def _fault(tensor: Tensor) -> str | None:
    if tensor.layout != torch.strided or tensor.is_quantized:
        return f"is {'quantized' if tensor.is_quantized else str(tensor.layout)}"
    if tensor.dtype not in FLOATS:
        return f"is {tensor.dtype}"
    # Checked in float32, as in the network, where a large float64 value becomes infinite. Meta
    # tensors have no values; they never come from a file (`named_tensors`).
    return None if tensor.is_meta or tensor.float().isfinite().all() else "has NaN or infinity"


def load_checked(module: nn.Module, tensors: Mapping[str, Tensor], *, what: str) -> None:
    """Checks and loads a complete state dict.

    Args:
        module: The module, which is changed in place.
        tensors: The tensors, by the module's names.
        what: Start of the message: the file, and what it was expected to hold.

    Raises:
        UserError: `check_tensors` finds a difference.
    """
    own = module.state_dict()
    check_tensors(tensors, tensor_shapes(own), what=what)
    module.load_state_dict({name: tensors.get(name, own[name]) for name in own})


def tensors_by_name(tensors: Mapping[str, Tensor], shapes: Shapes, *, what: str) -> Tensors | None:
    """Finds a network's tensors in a file by their names, in any order.

    Two names match if they are equal, or if they differ only by one of `PREFIXES`. Dots count as
    underscores: when timm builds a network that returns features, it joins the first parts of some
    names by an underscore.

    Args:
        tensors: The tensors of the file.
        shapes: The shapes of the network's tensors.
        what: Start of the message: the file, and what it was expected to hold.

    Returns:
        Tensors by the network's names; None if no name matches.

    Raises:
        UserError: Some names match, but tensors are missing or of wrong shapes, or a part of the
            network has extra tensors. Parts that the network does not have, such as the layer of
            the classes, are allowed.
    """
    prefix = max(PREFIXES, key=lambda prefix: len(_pairs(tensors, shapes, prefix)))
    names = _pairs(tensors, shapes, prefix)
    if not names:
        return None
    parts = tuple({_joined(name.split(".")[0]) + "_" for name in shapes})
    found = {
        prefix + name: tensor
        for name, tensor in below(prefix, tensors).items()
        if _joined(name).startswith(parts)
    }
    expected = {names.get(name, prefix + name): shape for name, shape in shapes.items()}
    check_tensors(found, expected, what=what)
    return {name: tensors[names[name]] for name in shapes}


def _joined(name: str) -> str:
    return name.replace(".", "_")


def _pairs(tensors: Mapping[str, Tensor], shapes: Shapes, prefix: str) -> dict[str, str]:
    """Returns the file's name of each tensor of the network that the file has with a prefix."""
    joined = {_joined(name): prefix + name for name in below(prefix, tensors)}
    pairs = {name: joined.get(_joined(name)) for name in shapes}
    return {ours: theirs for ours, theirs in pairs.items() if theirs is not None}
