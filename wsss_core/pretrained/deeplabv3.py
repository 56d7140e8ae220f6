"""Weights of torchvision's DeepLabv3 on ResNet-101, which was trained on masks of COCO.

These masks are supervision beyond image-level labels. The config must allow this, and the tables
of scores show it.
"""

from wsss_core.config.init_file import COCO_ADDRESS, local_file
from wsss_core.pretrained.files import read_checkpoint
from wsss_core.pretrained.tensor_names import Shapes, Tensors, below, check_tensors

BACKBONE, HEAD = "backbone.", "classifier."
CLASSES = ("4.weight", "4.bias")  # the head's last layer, for the classes of COCO


def read_coco() -> Tensors:
    """Reads the tensors of torchvision's file, which must have been downloaded."""
    return read_checkpoint(local_file(COCO_ADDRESS))


def is_torchvision(tensors: Tensors) -> bool:
    """Tells whether a file has torchvision's layout, not that of our own segmenters."""
    return HEAD + CLASSES[0] in tensors


def backbone_tensors(tensors: Tensors) -> Tensors:
    """Returns the tensors of the ResNet-101, by the names in torchvision's classifier."""
    return below(BACKBONE, tensors)


def head_tensors(tensors: Tensors, shapes: Shapes, *, source: str) -> Tensors:
    """Returns the tensors of the head, except the layer of the classes, which starts untrained.

    Args:
        tensors: All tensors of the file.
        shapes: The shapes of the head's tensors.
        source: Name of the file, for messages.

    Raises:
        UserError: Tensors are missing, extra or of wrong shapes.
    """
    found = {name: t for name, t in below(HEAD, tensors).items() if name not in CLASSES}
    expected = {name: shape for name, shape in shapes.items() if name not in CLASSES}
    check_tensors(found, expected, what=f"{source}: does not fit the head 'deeplabv3'")
    return found
