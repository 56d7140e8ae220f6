"""Published ImageNet weights of ResNet38d: ademxapp's `.params`, and conversions to `.pth`.

The `.pth` files (1-stage-wseg, psa) use the names of our network, the `.params` file MXNet's.
"""

import re
from collections.abc import Mapping

from torch import Tensor

from wsss_core.pretrained.tensor_names import Shapes, Tensors, check_tensors

# The layer of the 1000 classes, which CAMs do not need.
MXNET_HEAD = ("linear1000_weight", "linear1000_bias")
MXNET_FIELDS = {
    "weight": "gamma",
    "bias": "beta",
    "running_mean": "moving_mean",
    "running_var": "moving_var",
}


def mxnet_name(name: str) -> str:
    """Returns the name in the `.params` file of a tensor of ResNet38d.

    Args:
        name: For example `b4_1.bn_branch2b1.running_var`, which becomes
            `bn4b1_branch2b1_moving_var`.
    """
    layer, _, field = name.rpartition(".")
    block = re.fullmatch(r"b(\d)(?:_(\d+))?\.(conv|bn)_(branch\w+)", layer)
    if block:
        stage, number, kind, branch = block.groups()
        layer = f"{'res' if kind == 'conv' else 'bn'}{stage}{f'b{number}' if number else 'a'}"
        layer = f"{layer}_{branch}"
    is_norm = layer.startswith("bn")
    return f"{layer}_{MXNET_FIELDS[field] if is_norm else field}"


def from_mxnet(tensors: Mapping[str, Tensor], shapes: Shapes, *, source: str) -> Tensors:
    """Renames the arrays of the `.params` file.

    Args:
        tensors: The arrays by MXNet's names, with or without the prefix.
        shapes: The shapes of ResNet38d's tensors.
        source: Name of the file, for messages.

    Returns:
        The state dict of ResNet38d.

    Raises:
        UserError: Arrays are missing, extra or of wrong shapes.
    """
    plain = {re.sub(r"^(arg|aux):", "", name): tensor for name, tensor in tensors.items()}
    found = {name: tensor for name, tensor in plain.items() if name not in MXNET_HEAD}
    names = {name: mxnet_name(name) for name in shapes}
    expected = {names[name]: shape for name, shape in shapes.items()}
    check_tensors(found, expected, what=f"{source}: not weights of 'resnet38d'")
    return {ours: found[theirs] for ours, theirs in names.items()}


def from_torch(tensors: Mapping[str, Tensor], shapes: Shapes, *, source: str) -> Tensors:
    """Checks the `.pth` file; arguments and result are those of `from_mxnet`."""
    check_tensors(tensors, shapes, what=f"{source}: not weights of 'resnet38d'")
    return {name: tensors[name] for name in shapes}
