"""Checks the shapes of loss arguments, which torch would otherwise broadcast silently."""

from collections.abc import Sequence

from torch import Tensor


def expect_shape(name: str, tensor: Tensor, shape: Sequence[int]) -> None:
    """Raises an error if a tensor does not have the expected shape.

    Args:
        name: Name of the tensor, for the message.
        tensor: The tensor.
        shape: The expected shape.

    Raises:
        ValueError: The tensor has another shape.
    """
    if tensor.shape != tuple(shape):
        raise ValueError(f"{name} has shape {tuple(tensor.shape)}; expected {tuple(shape)}")
