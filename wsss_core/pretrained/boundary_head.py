"""Weights of the boundary head in SBNet's files, which has our head's released form."""

from collections.abc import Mapping, Sequence

from torch import Tensor

from wsss_core.pretrained.tensor_names import Shapes, Tensors, check_tensors

PREFIXES = ("edge_layer.", "fuse_canny_edge.")  # prefixes of its tensors' names
NAMES = {  # prefixes of our names and of theirs; those of each stage are added later
    "predict.0.body.": "edge_layer.rcab.body.",
    "predict.0.attention.1.": "edge_layer.rcab.body.3.conv_du.0.",
    "predict.0.attention.3.": "edge_layer.rcab.body.3.conv_du.2.",
    "predict.1.": "edge_layer.classifier.",
    "fuse.": "fuse_canny_edge.",
}


def to_boundary_head(
    tensors: Mapping[str, Tensor], shapes: Shapes, *, stages: Sequence[int], source: str
) -> Tensors | None:
    """Builds a state dict of our boundary head from the file of a classifier.

    Args:
        tensors: The tensors of the file.
        shapes: The shapes of the tensors of our head, in the released form.
        stages: Numbers m of the feature maps F_m that the head reads.
        source: Name of the file, for messages.

    Returns:
        All tensors of the head. None if the file has none of them, as in SEAM's and our own files.

    Raises:
        UserError: Tensors are missing, extra or of wrong shapes, for example because the head reads
            other stages or has another number of classes. The message uses the file's names.
    """
    found = {name: tensor for name, tensor in tensors.items() if name.startswith(PREFIXES)}
    if not found:
        return None
    prefixes = dict(NAMES)
    for i, stage in enumerate(stages):
        prefixes[f"reduce.{i}.0."] = f"edge_layer.conv{stage}."
        prefixes[f"reduce.{i}.2."] = f"edge_layer.conv8_{stage}."
    names = {}
    for name in shapes:
        ours, theirs = next(item for item in prefixes.items() if name.startswith(item[0]))
        names[name] = theirs + name.removeprefix(ours)
    expected = {names[name]: shape for name, shape in shapes.items()}
    check_tensors(found, expected, what=f"{source}: its boundary head does not fit the method's")
    return {ours: found[theirs] for ours, theirs in names.items()}
