"""Names and shapes of the tensors in a file, and how they differ from those of a network."""

from collections.abc import Mapping
from typing import TypeVar

from torch import Tensor

from wsss_core.runtime.errors import UserError, name_some

Tensors = dict[str, Tensor]
Shapes = dict[str, tuple[int, ...]]
T = TypeVar("T")
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
        UserError: They differ; the message lists how.
    """
    if different := differences(tensor_shapes(tensors), expected):
        raise UserError(f"{what}: {different}")
