"""Kinds of methods: each is one module, found by its name.

A kind is a module of this package ("seam" is methods/seam.py), or a module of the user's by its
dotted path ("my_ideas.entropy"). It is imported when its name is met, and by nobody else: so the
code of one kind is part of the digests of that kind's methods alone. docs/your-method.md makes one.
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
    """A network that is trained on image-level labels and has class activation maps."""

    backbone: Backbone

    def parameters(self) -> Iterator[nn.Parameter]:
        """Those of any module."""
        ...

    def to(self, *args: Any, **kwargs: Any) -> Self:
        """Moves it, as any module."""
        ...

    def infer(self, image: Tensor) -> Tensor:
        """Image [B, 3, H, W] in [0, 1] -> CAM [B, K, h, w], not negative, the best it has."""
        ...

    def infer_raw(self, image: Tensor) -> Tensor:
        """The same as it comes from the classifier."""
        ...


class Kind(Protocol):
    """What a module must have to be a kind of method."""

    Config: type[MethodConfig]

    def build_network(
        self, config: ClassifierTraining, num_classes: int, *, load: Loader | None
    ) -> nn.Module:
        """The network alone, a `ClassifierNet`: what is saved and what inference uses.

        `load` puts ImageNet weights into the backbone; None where a checkpoint follows.
        """
        ...

    def build_training(
        self, net: nn.Module, config: ClassifierTraining, *, init: Path | None
    ) -> TrainableModel:
        """The network with its losses; `init` is the weights file that it started from."""
        ...


def module_name(kind: str) -> str:
    """Name of the module that a kind is."""
    return kind if "." in kind else f"{PACKAGE}.{kind}"


def find_kind(kind: str) -> Kind:
    """Imports the module of a kind.

    Raises:
        UserError: There is none, it cannot be imported, or it lacks something.
    """
    name = module_name(kind)
    try:
        module = importlib.import_module(name)
    except ModuleNotFoundError as error:
        if error.name is None or not (name == error.name or name.startswith(f"{error.name}.")):
            raise UserError(f"kind {kind!r}: its module imports {error.name}: not found") from error
        expected = "a module beside the config" if "." in kind else "cam, seam, smoothing, or a.b"
        raise UserError(f"unknown kind {kind!r}; expected {expected}") from error
    except Exception as error:  # a module of the user's can raise anything
        raise UserError(f"kind {kind!r}: {type(error).__name__}: {error}") from error
    lacking = [item for item in NEEDED if not hasattr(module, item)]
    if lacking:
        raise UserError(f"kind {kind!r}: has no {', '.join(lacking)}; expected {', '.join(NEEDED)}")
    return cast(Kind, module)


def read_training(sections: str) -> ClassifierTraining:
    """Reads what a program is told: JSON with `classifier`, `method` and perhaps `canny`."""
    return training_config(json.loads(sections))


def training_config(sections: Mapping[str, Any]) -> ClassifierTraining:
    """Validates these sections, the method's by the config of its kind."""
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
        class_names: The classes it must have been trained on.
        kind: Of its method. The one that the file names is not imported unless it is this one:
            a file may come from anywhere.

    Raises:
        UserError: The file holds another network, or one of other classes or of another kind.
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
