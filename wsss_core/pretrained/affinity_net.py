"""Weights of psa's AffinityNet on ResNet38d (`resnet38_aff.pth`)."""

from collections.abc import Mapping

from torch import Tensor

from wsss_core.pretrained.tensor_names import Shapes, Tensors, check_tensors

NAMES = {  # prefixes of our names, and psa's prefixes
    "backbone.network.": "",
    "reduce.0.": "f8_3.",
    "reduce.1.": "f8_4.",
    "reduce.2.": "f8_5.",
    "mix.": "f9.",
}


def psa_name(name: str) -> str:
    """Returns psa's name for a tensor of `AffinityNet`; our name if psa has no such tensor."""
    found = (item for item in NAMES.items() if name.startswith(item[0]))
    ours, theirs = next(found, ("", ""))
    return theirs + name.removeprefix(ours)


def to_affinity_net(tensors: Mapping[str, Tensor], shapes: Shapes, *, source: str) -> Tensors:
    """Builds a state dict of our AffinityNet from psa's file or from one of our own files.

    Args:
        tensors: The tensors of the file.
        shapes: The shapes of the network's tensors.
        source: Name of the file, for messages.

    Raises:
        UserError: Tensors are missing, extra or of wrong shapes.
    """
    is_own = "mix.weight" in tensors
    names = {name: name if is_own else psa_name(name) for name in shapes}
    expected = {names[name]: shape for name, shape in shapes.items()}
    check_tensors(tensors, expected, what=f"{source}: does not fit the AffinityNet")
    return {ours: tensors[theirs] for ours, theirs in names.items()}
