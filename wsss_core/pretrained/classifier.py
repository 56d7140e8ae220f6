"""Classifiers on ResNet38d as released: SEAM's, SBNet's and psa's; and our own.

SEAM's `resnet38_SEAM.pth` and SBNet's files classify the background too, as row 0 of `fc8`, which
nothing trains in SEAM; our layer has that row only where it is asked for. SBNet's boundary head is
no part of a classifier (boundary_head.py). psa's `res38_cls.pth` has no pixel correlation module.
"""

from collections.abc import Mapping

from torch import Tensor

from wsss_core.pretrained.boundary_head import PREFIXES as BOUNDARY_HEAD_PREFIXES
from wsss_core.pretrained.tensor_names import Shapes, Tensors, check_tensors

NAMES = {  # how our names begin, and theirs
    "backbone.network.": "",
    "classifier.": "fc8.",
    "pcm.reduce.0.": "f8_3.",
    "pcm.reduce.1.": "f8_4.",
    "pcm.embed.": "f9.",
}
CLASSIFIER = "classifier.weight"
PCM = "pcm."
RELEASED_PCM = ("f8_3.weight", "f8_4.weight", "f9.weight")


def released_name(name: str) -> str:
    """The name that the released files have for a tensor of `CamNet` or `SeamNet`."""
    ours, theirs = next(item for item in NAMES.items() if name.startswith(item[0]))
    return theirs + name.removeprefix(ours)


def to_classifier(
    tensors: Mapping[str, Tensor], shapes: Shapes, *, source: str, background: bool = False
) -> Tensors:
    """Makes a state dict of our classifier from any of these files.

    Args:
        tensors: Those of the file.
        shapes: Those of the network.
        source: Name of the file, for messages.
        background: Whether the first row of the network's CLASSIFIER is the background's.

    Returns:
        All of the network's tensors; without those of the PCM, and without the background's row, if
        the file has none. What of these the network does not have is left out.

    Raises:
        UserError: Tensors are missing, extra or of other shapes, as they are for another number
            of classes; the message has the file's own names.
    """
    what = f"{source}: does not fit the method's network"
    if CLASSIFIER in tensors:
        return _own(tensors, shapes, what=what, background=background)
    return _released(tensors, shapes, what=what, background=background)


def _own(tensors: Mapping[str, Tensor], shapes: Shapes, *, what: str, background: bool) -> Tensors:
    num_rows, *rest = shapes[CLASSIFIER]
    if background and len(tensors[CLASSIFIER]) == num_rows - 1:  # it was trained without one
        shapes = {**shapes, CLASSIFIER: (num_rows - 1, *rest)}
    common = [name for name in shapes if not name.startswith(PCM) or name in tensors]
    found = {
        name: tensor
        for name, tensor in tensors.items()
        if name in shapes or not name.startswith(PCM)
    }
    check_tensors(found, {name: shapes[name] for name in common}, what=what)
    return {name: found[name] for name in common}


def _released(
    tensors: Mapping[str, Tensor], shapes: Shapes, *, what: str, background: bool
) -> Tensors:
    has_pcm = "f9.weight" in tensors
    names = {name: released_name(name) for name in shapes if has_pcm or not name.startswith(PCM)}
    expected = {theirs: shapes[ours] for ours, theirs in names.items()}
    num_rows, *rest = expected["fc8.weight"]
    expected["fc8.weight"] = (num_rows - background + has_pcm, *rest)
    unused = [name for name in RELEASED_PCM if name not in expected]
    if has_pcm:
        unused += [name for name in tensors if name.startswith(BOUNDARY_HEAD_PREFIXES)]
    found = {name: tensor for name, tensor in tensors.items() if name not in unused}
    check_tensors(found, expected, what=what)
    renamed = {ours: found[theirs] for ours, theirs in names.items()}
    if has_pcm and not background:
        renamed[CLASSIFIER] = renamed[CLASSIFIER][1:]
    return renamed
