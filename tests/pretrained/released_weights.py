"""Names and shapes of the tensors in each importable weights file.

They follow the published descriptions of the networks. test_released_weights.py checks them against
known totals. `width` scales the channels of ResNet38d, for small files.
"""

import torch

Table = dict[str, tuple[int, ...]]

NARROW = 1 / 32  # the width of most tests

# Name, MXNet's name, channels in, in the middle and out; in bottlenecks also of the 3x3.
RESNET38D_BLOCKS = (
    ("b2", "2a", 64, 128, 128, None),
    ("b2_1", "2b1", 128, 128, 128, None),
    ("b2_2", "2b2", 128, 128, 128, None),
    ("b3", "3a", 128, 256, 256, None),
    ("b3_1", "3b1", 256, 256, 256, None),
    ("b3_2", "3b2", 256, 256, 256, None),
    ("b4", "4a", 256, 512, 512, None),
    ("b4_1", "4b1", 512, 512, 512, None),
    ("b4_2", "4b2", 512, 512, 512, None),
    ("b4_3", "4b3", 512, 512, 512, None),
    ("b4_4", "4b4", 512, 512, 512, None),
    ("b4_5", "4b5", 512, 512, 512, None),
    ("b5", "5a", 512, 512, 1024, None),
    ("b5_1", "5b1", 1024, 512, 1024, None),
    ("b5_2", "5b2", 1024, 512, 1024, None),
    ("b6", "6a", 1024, 512, 2048, 1024),
    ("b7", "7a", 2048, 1024, 4096, 2048),
)
NORM = ("weight", "bias", "running_mean", "running_var")
MXNET_NORM = ("arg:{}_gamma", "arg:{}_beta", "aux:{}_moving_mean", "aux:{}_moving_var")


def _block(channels, width):
    """Shapes of a block: of its BatchNorms and of its convolutions, by branch."""
    entering, middle, leaving, wide = (c and max(1, round(c * width)) for c in channels)
    norms = {"branch2a": (entering,), "branch2b1": (middle,)}
    if wide is None:
        convs = {"branch2a": (middle, entering, 3, 3), "branch2b1": (leaving, middle, 3, 3)}
    else:
        norms["branch2b2"] = (wide,)
        convs = {
            "branch2a": (middle, entering, 1, 1),
            "branch2b1": (wide, middle, 3, 3),
            "branch2b2": (leaving, wide, 1, 1),
        }
    if entering != leaving:
        convs["branch1"] = (leaving, entering, 1, 1)
    return norms, convs


def resnet38d_pth(width: float = 1.0) -> Table:
    """ilsvrc-cls_rna-a1_cls1000_ep-0001.pth"""
    table = {"conv1a.weight": (round(64 * width), 3, 3, 3)}
    for name, _, *channels in RESNET38D_BLOCKS:
        norms, convs = _block(channels, width)
        for branch, shape in norms.items():
            table |= {f"{name}.bn_{branch}.{field}": shape for field in NORM}
        table |= {f"{name}.conv_{branch}.weight": shape for branch, shape in convs.items()}
    return table | {f"bn7.{field}": (round(4096 * width),) for field in NORM}


def resnet38d_params(width: float = 1.0) -> Table:
    """ilsvrc-cls_rna-a1_cls1000_ep-0001.params"""
    table = {"arg:conv1a_weight": (round(64 * width), 3, 3, 3)}
    for _, name, *channels in RESNET38D_BLOCKS:
        norms, convs = _block(channels, width)
        for branch, shape in norms.items():
            table |= {field.format(f"bn{name}_{branch}"): shape for field in MXNET_NORM}
        table |= {f"arg:res{name}_{branch}_weight": shape for branch, shape in convs.items()}
    table |= {field.format("bn7"): (round(4096 * width),) for field in MXNET_NORM}
    head = {"arg:linear1000_weight": (1000, round(4096 * width)), "arg:linear1000_bias": (1000,)}
    return table | head


def psa_classifier(width: float = 1.0, *, num_classes: int = 20) -> Table:
    """res38_cls.pth"""
    return resnet38d_pth(width) | {"fc8.weight": (num_classes, round(4096 * width), 1, 1)}


def seam(width: float = 1.0, *, num_classes: int = 20, pcm: tuple[int, int] = (64, 128)) -> Table:
    """resnet38_SEAM.pth"""
    first, second = pcm
    return psa_classifier(width, num_classes=num_classes + 1) | {
        "f8_3.weight": (first, round(512 * width), 1, 1),
        "f8_4.weight": (second, round(1024 * width), 1, 1),
        "f9.weight": (first + second, first + second + 3, 1, 1),
    }


def sbnet_head(width: float = 1.0, *, num_classes: int = 20) -> Table:
    """What SBNet's files have besides SEAM's tensors: its boundary head."""
    convs = {
        "conv1": (32, round(64 * width), 1, 1),
        "conv3": (32, round(256 * width), 1, 1),
        "conv5": (32, round(1024 * width), 1, 1),
        "conv6": (32, round(2048 * width), 1, 1),
        **{f"conv8_{number}": (32, 32, 3, 3) for number in (1, 3, 5, 6)},
        "classifier": (num_classes + 1, 128, 3, 3),
        "rcab.body.0": (128, 128, 3, 3),
        "rcab.body.2": (128, 128, 3, 3),
        "rcab.body.3.conv_du.0": (8, 128, 1, 1),
        "rcab.body.3.conv_du.2": (128, 8, 1, 1),
    }
    table: Table = {"fuse_canny_edge.weight": (num_classes + 1, 2 * num_classes + 2, 1, 1)}
    for name, shape in convs.items():
        table |= {f"edge_layer.{name}.weight": shape, f"edge_layer.{name}.bias": shape[:1]}
    return table


def sbnet(width: float = 1.0, *, num_classes: int = 20, pcm: tuple[int, int] = (64, 128)) -> Table:
    """Files of train_SB.py"""
    head = sbnet_head(width, num_classes=num_classes)
    return seam(width, num_classes=num_classes, pcm=pcm) | head


def psa_affinity(width: float = 1.0, *, channels: tuple[int, int, int] = (64, 128, 256)) -> Table:
    """resnet38_aff.pth"""
    first, second, third = channels
    return resnet38d_pth(width) | {
        "f8_3.weight": (first, round(512 * width), 1, 1),
        "f8_4.weight": (second, round(1024 * width), 1, 1),
        "f8_5.weight": (third, round(4096 * width), 1, 1),
        "f9.weight": (sum(channels), sum(channels), 1, 1),
    }


def _resnet101_layers():
    """Torchvision's and Caffe's name and the shape of each convolution, and of its BatchNorm."""
    yield ("conv1", "bn1"), "layer1.conv1", (64, 3, 7, 7)
    entering = 64
    for stage, (blocks, middle) in enumerate(((3, 64), (4, 128), (23, 256), (3, 512)), start=1):
        for block in range(blocks):
            theirs, caffe = f"layer{stage}.{block}", f"layer{stage + 1}.block{block + 1}"
            for number, unit, shape in (
                (1, "reduce", (middle, entering, 1, 1)),
                (2, "conv3x3", (middle, middle, 3, 3)),
                (3, "increase", (4 * middle, middle, 1, 1)),
            ):
                names = (f"{theirs}.conv{number}", f"{theirs}.bn{number}")
                yield names, f"{caffe}.{unit}", shape
            if block == 0:
                names = (f"{theirs}.downsample.0", f"{theirs}.downsample.1")
                yield names, f"{caffe}.shortcut", (4 * middle, entering, 1, 1)
            entering = 4 * middle


def resnet101_torchvision() -> Table:
    """resnet101-*.pth"""
    table: Table = {}
    for (conv, norm), _, shape in _resnet101_layers():
        table[f"{conv}.weight"] = shape
        table |= {f"{norm}.{field}": shape[:1] for field in NORM}
    return table | {"fc.weight": (1000, 2048), "fc.bias": (1000,)}


def resnet101_caffe() -> Table:
    """ResNet-101 in the Caffe layout, as deeplab-pytorch converts it"""
    table: Table = {}
    for _, unit, shape in _resnet101_layers():
        table[f"{unit}.conv.weight"] = shape
        table |= {f"{unit}.bn.{field}": shape[:1] for field in NORM}
    return table


def random_tensors(table: Table, seed: int = 0) -> dict[str, torch.Tensor]:
    generator = torch.Generator().manual_seed(seed)
    return {name: torch.rand(shape, generator=generator) for name, shape in table.items()}


def meta_tensors(table: Table) -> dict[str, torch.Tensor]:
    """Tensors that have a shape and take no memory."""
    return {name: torch.empty(shape, device="meta") for name, shape in table.items()}
