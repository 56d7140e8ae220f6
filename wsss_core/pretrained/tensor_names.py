"""Whether the tensors in a file are those of a network: their names, shapes and values."""

from collections.abc import Mapping
from typing import TypeVar

import torch
from torch import Tensor, nn

from wsss_core.runtime.errors import UserError, name_some

Tensors = dict[str, Tensor]
Shapes = dict[str, tuple[int, ...]]
T = TypeVar("T")
# How names begin where a network was saved as part of another one, such as DistributedDataParallel.
PREFIXES = ("", "module.", "model.", "backbone.", "module.model.", "module.backbone.")
FLOATS = (torch.float32, torch.float16, torch.bfloat16, torch.float64)
COUNTER = "num_batches_tracked"  # of BatchNorms: newer versions of torch save it, nothing reads it


def tensor_shapes(tensors: Mapping[str, Tensor]) -> Shapes:
    """Lists the shapes of a state dict, without those of BatchNorms' counters."""
    return {name: tuple(t.shape) for name, t in tensors.items() if not name.endswith(COUNTER)}


def below(prefix: str, tensors: Mapping[str, T]) -> dict[str, T]:
    """Those whose names begin so, named by the rest."""
    return {
        name.removeprefix(prefix): tensor
        for name, tensor in tensors.items()
        if name.startswith(prefix)
    }


def differences(found: Shapes, expected: Shapes) -> str:
    """Lists in one line what is missing, extra or mis-shaped; empty where nothing is.

    Args:
        found: Shapes by name, as they are.
        expected: As they should be.
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
    """Compares a file's tensors with what is expected, both under the file's names.

    Args:
        tensors: Those of the file.
        expected: Shapes by name.
        what: For the message, the file and what it was expected to hold.

    Raises:
        UserError: They differ, or hold what is no weight; the message lists how.
    """
    if different := differences(tensor_shapes(tensors), expected):
        raise UserError(f"{what}: {different}")
    check_values({name: tensors[name] for name in expected}, what=what)


def check_values(tensors: Mapping[str, Tensor], *, what: str) -> None:
    """Refuses tensors that torch would load, and that are no weights.

    Raises:
        UserError: One is not of plain floating-point numbers, or holds NaN or infinity.
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
    # In float32, which the network has: a larger number of float64 becomes infinity. A tensor
    # without values comes from no file (`named_tensors`).
    return None if tensor.is_meta or tensor.float().isfinite().all() else "has NaN or infinity"


def load_checked(module: nn.Module, tensors: Mapping[str, Tensor], *, what: str) -> None:
    """Loads a whole state dict.

    Args:
        module: Changed in place.
        tensors: By the module's names.
        what: For the message, the file and what it was expected to hold.

    Raises:
        UserError: As of `check_tensors`.
    """
    own = module.state_dict()
    check_tensors(tensors, tensor_shapes(own), what=what)
    module.load_state_dict({name: tensors.get(name, own[name]) for name in own})


def tensors_by_name(tensors: Mapping[str, Tensor], shapes: Shapes, *, what: str) -> Tensors | None:
    """Finds a network's tensors in a file by their names, whatever their order.

    Names fit that are the same, or differ by one of `PREFIXES` only. timm joins the first parts of
    some by an underscore when it builds a network that gives features: dots count as underscores.

    Args:
        tensors: Those of the file.
        shapes: Those of the network.
        what: For the message, the file and what it was expected to hold.

    Returns:
        Tensors by the network's names; None where no name fits.

    Raises:
        UserError: Some names fit but tensors are missing or mis-shaped, or there are more in a
            part of the network that has them. Parts that the network does not have at all, such
            as the layer of the classes, may be in the file.
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
    """The file's name for each of the network's that it has with a prefix."""
    joined = {_joined(name): prefix + name for name in below(prefix, tensors)}
    pairs = {name: joined.get(_joined(name)) for name in shapes}
    return {ours: theirs for ours, theirs in pairs.items() if theirs is not None}
