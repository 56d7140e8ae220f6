"""Kinds of methods. Each kind is one module, which is found by its name.

A kind is a module of this package ("seam" is methods/seam.py), or a user's module by its dotted
path ("my_ideas.entropy"). It is imported by name when it is needed, and nowhere else. So the code
of a kind is only in the digests of the methods of this kind. docs/your-method.md shows an example.
"""

from __future__ import annotations

import importlib
import json
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol, Self, cast

from torch import Tensor, nn

from wsss_core.config.canny import CannyConfig
from wsss_core.config.classifier import ClassifierConfig, ClassifierTraining
from wsss_core.config.methods import MethodConfig
from wsss_core.data.weights import load_network_weights, rebuilding
from wsss_core.models.backbone import Backbone, Loader
from wsss_core.pretrained.tensor_names import load_checked
from wsss_core.runtime.errors import UserError

if TYPE_CHECKING:
    from wsss_core.training.loop import TrainableModel

PACKAGE = "wsss_core.methods"
NEEDED = ("Config", "build_network", "build_training")


class ClassifierNet(Protocol):
    """A network that is trained on image-level labels and computes class activation maps."""

    backbone: Backbone

    def parameters(self) -> Iterator[nn.Parameter]:
        """Returns the parameters, as nn.Module does."""
        ...

    def to(self, *args: Any, **kwargs: Any) -> Self:
        """Moves the network, as nn.Module does."""
        ...

    def infer(self, image: Tensor) -> Tensor:
        """Image [B, 3, H, W] in [0, 1] -> the best non-negative CAM [B, K, h, w]."""
        ...

    def infer_raw(self, image: Tensor) -> Tensor:
        """Image [B, 3, H, W] in [0, 1] -> non-negative CAM [B, K, h, w] of the classifier."""
        ...


class Kind(Protocol):
    """The names that the module of a kind must define."""

    Config: type[MethodConfig]

    def build_network(
        self, config: ClassifierTraining, num_classes: int, *, load: Loader | None
    ) -> nn.Module:
        """Builds the network without losses, a `ClassifierNet`. It is saved and used for inference.

        `load` loads ImageNet weights into the backbone; None: a checkpoint follows.
        """
        ...

    def build_training(
        self, net: nn.Module, config: ClassifierTraining, *, init: Path | None
    ) -> TrainableModel:
        """Adds the losses to the network; `init` is the weights file of its initial weights."""
        ...


def module_name(kind: str) -> str:
    """Returns the name of the module of a kind."""
    return kind if "." in kind else f"{PACKAGE}.{kind}"


def find_kind(kind: str) -> Kind:
    """Imports the module of a kind.

    Raises:
        UserError: There is no such module, it cannot be imported, or it lacks a name of NEEDED.
    """
    name = module_name(kind)
    try:
        module = importlib.import_module(name)
    except ModuleNotFoundError as error:
        if error.name is None or not (name == error.name or name.startswith(f"{error.name}.")):
            raise UserError(f"kind {kind!r}: its module imports {error.name}: not found") from error
        expected = "a module beside the config" if "." in kind else "cam, seam, smoothing, or a.b"
        raise UserError(f"unknown kind {kind!r}; expected {expected}") from error
    except Exception as error:  # a user's module can raise anything
        raise UserError(f"kind {kind!r}: {type(error).__name__}: {error}") from error
    lacking = [item for item in NEEDED if not hasattr(module, item)]
    if lacking:
        raise UserError(f"kind {kind!r}: has no {', '.join(lacking)}; expected {', '.join(NEEDED)}")
    return cast(Kind, module)


def read_training(sections: str) -> ClassifierTraining:
    """Parses the --config of a program: JSON with `classifier`, `method` and perhaps `canny`."""
    return training_config(json.loads(sections))


def training_config(sections: Mapping[str, Any]) -> ClassifierTraining:
    """Validates these sections. The config class of the kind validates the method."""
    kind = find_kind(sections["method"]["kind"])
    return ClassifierTraining(
        classifier=ClassifierConfig.model_validate(sections.get("classifier", {})),
        method=kind.Config.model_validate(sections["method"]),
        canny=CannyConfig.model_validate(sections.get("canny", {})),
    )


def load_classifier(path: Path, class_names: Sequence[str], *, kind: str) -> ClassifierNet:
    """Rebuilds a trained classifier from its weights file alone, in evaluation mode.

    Args:
        path: Weights file of `train_classifier`.
        class_names: The classes on which it must have been trained.
        kind: The kind of its method. A file may come from anywhere, so its kind is only imported if
            it is this one.

    Raises:
        UserError: The file holds another network, or a classifier of other classes or another kind.
    """
    weights = load_network_weights(path, network="classifier", class_names=class_names)
    config = weights.metadata["config"]
    method = config.get("method")
    found = method.get("kind") if isinstance(method, dict) else None
    if found != kind:
        raise UserError(f"{path}: a classifier of kind {found!r}, expected {kind!r}")
    with rebuilding(path):
        net = find_kind(kind).build_network(training_config(config), len(class_names), load=None)
    load_checked(net, weights.state_dict, what=f"{path}: does not fit its own network")
    return cast(ClassifierNet, net.eval())
