"""psa's AffinityNet on ResNet38d, `resnet38_aff.pth`."""

from collections.abc import Mapping

from torch import Tensor

from wsss_core.pretrained.tensor_names import Shapes, Tensors, check_tensors

NAMES = {  # how our names begin, and psa's
    "backbone.network.": "",
    "reduce.0.": "f8_3.",
    "reduce.1.": "f8_4.",
    "reduce.2.": "f8_5.",
    "mix.": "f9.",
}


def psa_name(name: str) -> str:
    """The name that psa's file has for a tensor of `AffinityNet`; ours where it has none."""
    found = (item for item in NAMES.items() if name.startswith(item[0]))
    ours, theirs = next(found, ("", ""))
    return theirs + name.removeprefix(ours)


def to_affinity_net(tensors: Mapping[str, Tensor], shapes: Shapes, *, source: str) -> Tensors:
    """Makes a state dict of our AffinityNet from psa's file, or from one of our own.

    Args:
        tensors: Those of the file.
        shapes: Those of the network.
        source: Name of the file, for messages.

    Raises:
        UserError: Tensors are missing, extra or of other shapes.
    """
    is_own = "mix.weight" in tensors
    names = {name: name if is_own else psa_name(name) for name in shapes}
    expected = {names[name]: shape for name, shape in shapes.items()}
    check_tensors(tensors, expected, what=f"{source}: does not fit the AffinityNet")
    return {ours: tensors[theirs] for ours, theirs in names.items()}
