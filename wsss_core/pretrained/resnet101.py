"""ImageNet weights of ResNet-101, in the layouts of torchvision and of Caffe.

The two networks differ. Caffe's (He et al.) halves the resolution in the first 1x1 convolution of
a stage and expects BGR images. torchvision's halves it in the 3x3 convolution and expects RGB
images. The Caffe layout is that of deeplab-pytorch, the paper's segmentation network.
"""

import re
from collections.abc import Mapping

from torch import Tensor

from wsss_core.pretrained.tensor_names import Shapes, Tensors, check_tensors
from wsss_core.runtime.errors import UserError

HEAD = ("fc.weight", "fc.bias")  # the layer of the classes
CAFFE_STEM = "layer1.conv1.conv.weight"
CAFFE_CONVS = {"1": "reduce", "2": "conv3x3", "3": "increase"}


def caffe_name(name: str, *, shortcut: str = "shortcut") -> str:
    """Returns the name in the Caffe layout of a tensor of torchvision's or timm's network.

    Args:
        name: For example `layer1.0.bn3.weight`, which becomes `layer2.block1.increase.bn.weight`:
            Caffe counts the stem as layer 1.
        shortcut: The layout's name for the projection in a stage's first block; early versions use
            `proj`.
    """
    layer, _, field = name.rpartition(".")
    if stem := re.fullmatch(r"(conv|bn)1", layer):
        return f"layer1.conv1.{stem[1]}.{field}"
    block = re.fullmatch(r"layer(\d)\.(\d+)\.(?:(conv|bn)(\d)|downsample\.([01]))", layer)
    assert block is not None, f"{name} is no tensor of ResNet-101"
    stage, number, kind, conv, projection = block.groups()
    if projection is not None:
        kind, unit = ("conv", "bn")[int(projection)], shortcut
    else:
        unit = CAFFE_CONVS[conv]
    return f"layer{int(stage) + 1}.block{int(number) + 1}.{unit}.{kind}.{field}"


def from_torchvision(tensors: Mapping[str, Tensor], shapes: Shapes, *, source: str) -> Tensors:
    """Checks torchvision's file and removes the layer of the classes.

    Args:
        tensors: The tensors of the file.
        shapes: The shapes of the network's tensors.
        source: Name of the file, for messages.

    Returns:
        The network's state dict.

    Raises:
        UserError: Tensors are missing, extra or of wrong shapes, or the layout is Caffe's.
    """
    if CAFFE_STEM in tensors:
        raise UserError(
            f"{source}: ResNet-101 in the Caffe layout; expected torchvision's, or the backbone "
            "'resnet101.caffe', which has this layout"
        )
    found = {name: tensor for name, tensor in tensors.items() if name not in HEAD}
    check_tensors(found, shapes, what=f"{source}: not weights of torchvision's ResNet-101")
    return {name: found[name] for name in shapes}


def from_caffe(tensors: Mapping[str, Tensor], shapes: Shapes, *, source: str) -> Tensors:
    """Renames the tensors of the Caffe layout, and makes the first convolution expect RGB.

    Arguments and result are those of `from_torchvision`.
    """
    if "conv1.weight" in tensors:
        raise UserError(
            f"{source}: ResNet-101 in torchvision's layout; expected Caffe's, or the backbone "
            "'resnet101', which has this layout"
        )
    shortcut = "proj" if any(".proj." in name for name in tensors) else "shortcut"
    found = {name: tensor for name, tensor in tensors.items() if name not in HEAD}
    names = {name: caffe_name(name, shortcut=shortcut) for name in shapes}
    expected = {names[name]: shape for name, shape in shapes.items()}
    check_tensors(found, expected, what=f"{source}: not weights of Caffe's ResNet-101")
    renamed = {ours: found[theirs] for ours, theirs in names.items()}
    return renamed | {"conv1.weight": renamed["conv1.weight"].flip(1)}
