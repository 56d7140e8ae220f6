"""torchvision's DeepLabv3 on ResNet-101, trained on masks of COCO.

This is supervision beyond image-level labels: the config says so, and the scores show it.
"""

from wsss_core.config.init_file import COCO_ADDRESS, local_file
from wsss_core.pretrained.files import read_checkpoint
from wsss_core.pretrained.tensor_names import Shapes, Tensors, below, check_tensors

BACKBONE, HEAD = "backbone.", "classifier."
CLASSES = ("4.weight", "4.bias")  # the head's last layer, of COCO's classes


def read_coco() -> Tensors:
    """The tensors of torchvision's file, once it is obtained."""
    return read_checkpoint(local_file(COCO_ADDRESS))


def is_torchvision(tensors: Tensors) -> bool:
    """Whether a file has this layout, and not that of our own segmenters."""
    return HEAD + CLASSES[0] in tensors


def backbone_tensors(tensors: Tensors) -> Tensors:
    """Those of the ResNet-101, by the names that torchvision's classifier has for them."""
    return below(BACKBONE, tensors)


def head_tensors(tensors: Tensors, shapes: Shapes, *, source: str) -> Tensors:
    """Those of the head without the layer of the classes, which is to start anew.

    Args:
        tensors: All of the file.
        shapes: Those of the head.
        source: Name of the file, for messages.

    Raises:
        UserError: Tensors are missing, extra or of other shapes.
    """
    found = {name: t for name, t in below(HEAD, tensors).items() if name not in CLASSES}
    expected = {name: shape for name, shape in shapes.items() if name not in CLASSES}
    check_tensors(found, expected, what=f"{source}: does not fit the head 'deeplabv3'")
    return found
