"""What losses ask of their arguments, which would otherwise be stretched to fit each other."""

from collections.abc import Sequence

from torch import Tensor


def expect_shape(name: str, tensor: Tensor, shape: Sequence[int]) -> None:
    """Refuses a tensor of another shape.

    Args:
        name: What the tensor is, for the message.
        tensor: The tensor.
        shape: The shape that goes with the other arguments.

    Raises:
        ValueError: It has another one.
    """
    if tensor.shape != tuple(shape):
        raise ValueError(f"{name} has shape {tuple(tensor.shape)}; expected {tuple(shape)}")
