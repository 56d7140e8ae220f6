"""The trained boundary head in SBNet's files, which is our head of the released form."""

from collections.abc import Mapping, Sequence

from torch import Tensor

from wsss_core.pretrained.tensor_names import Shapes, Tensors, check_tensors

PREFIXES = ("edge_layer.", "fuse_canny_edge.")  # how the names of its tensors begin
NAMES = {  # how our names begin, and theirs; beside those for each stage that the head reads
    "predict.0.body.": "edge_layer.rcab.body.",
    "predict.0.attention.1.": "edge_layer.rcab.body.3.conv_du.0.",
    "predict.0.attention.3.": "edge_layer.rcab.body.3.conv_du.2.",
    "predict.1.": "edge_layer.classifier.",
    "fuse.": "fuse_canny_edge.",
}


def to_boundary_head(
    tensors: Mapping[str, Tensor], shapes: Shapes, *, stages: Sequence[int], source: str
) -> Tensors | None:
    """Makes a state dict of our boundary head from the file of a classifier.

    Args:
        tensors: Those of the file.
        shapes: Those of the head, of the released form.
        stages: Numbers of the feature maps F_m that it reads.
        source: Name of the file, for messages.

    Returns:
        All of the head's tensors; None if the file has none of them, as SEAM's and ours have.

    Raises:
        UserError: Tensors are missing, extra or of other shapes, as they are for other stages or
            another number of classes; the message has the file's own names.
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
