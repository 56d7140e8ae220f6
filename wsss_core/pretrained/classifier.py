"""Weights of classifiers on ResNet38d: those released by SEAM, SBNet and psa, and our own.

The classifiers of SEAM (`resnet38_SEAM.pth`) and SBNet also have a background class, as row 0 of
`fc8`. SEAM does not train this row. Our layer has it only on request. SBNet's boundary head is
loaded elsewhere (boundary_head.py). psa's `res38_cls.pth` has no pixel correlation module (PCM).
"""

from collections.abc import Mapping

from torch import Tensor

from wsss_core.pretrained.boundary_head import PREFIXES as BOUNDARY_HEAD_PREFIXES
from wsss_core.pretrained.tensor_names import Shapes, Tensors, check_tensors

NAMES = {  # prefixes of our names, and theirs
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
    """Returns the released files' name for a tensor of `CamNet` or `SeamNet`."""
    ours, theirs = next(item for item in NAMES.items() if name.startswith(item[0]))
    return theirs + name.removeprefix(ours)


def to_classifier(
    tensors: Mapping[str, Tensor], shapes: Shapes, *, source: str, background: bool = False
) -> Tensors:
    """Builds a state dict of our classifier from any of these files.

    Args:
        tensors: The tensors of the file.
        shapes: The shapes of the network's tensors.
        source: Name of the file, for messages.
        background: Whether row 0 of the network's CLASSIFIER is the background.

    Returns:
        All tensors of the network, except those of the PCM and the row of the background if the
        file does not have them. If the network has no PCM or no background, they are dropped.

    Raises:
        UserError: Tensors are missing, extra or of wrong shapes, for example because the number of
            classes differs. The message uses the file's names.
    """
    what = f"{source}: does not fit the method's network"
    if CLASSIFIER in tensors:
        return _own(tensors, shapes, what=what, background=background)
    return _released(tensors, shapes, what=what, background=background)


def _own(tensors: Mapping[str, Tensor], shapes: Shapes, *, what: str, background: bool) -> Tensors:
    num_rows, *rest = shapes[CLASSIFIER]
    if background and len(tensors[CLASSIFIER]) == num_rows - 1:  # trained without a background
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
