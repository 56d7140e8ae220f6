"""Weights files of the three networks, and changes that make them invalid."""

from __future__ import annotations

import copy
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import torch

from wsss_core.config.affinity import AffinityConfig
from wsss_core.config.segmenter import SegmenterConfig
from wsss_core.data.weights import save_weights
from wsss_core.methods.kinds import find_kind, load_classifier, read_training
from wsss_core.models.affinity_net import build_affinity_net
from wsss_core.models.deeplab import build_deeplab
from wsss_core.stages.random_walk import load_affinity_net
from wsss_core.stages.segment import load_segmenter
from wsss_core.stages.train_classifier import classifier_metadata
from wsss_core.stages.train_segmenter import segmenter_metadata

CLASSES = ("cat", "dog")
BACKBONE = {"name": "test_byobnet", "output_stride": 16}
Content = dict[str, Any]


class Case(NamedTuple):
    """One change of what is in a file, and what is to be said of it."""

    name: str
    change: Callable[[Content], object]
    words: str


def _first(content: Content, change: Callable[[torch.Tensor], torch.Tensor]) -> None:
    tensors = content["state_dict"]
    name = next(name for name, tensor in tensors.items() if tensor.is_floating_point())
    tensors[name] = change(tensors[name].clone())


def _with(value: float) -> Callable[[torch.Tensor], torch.Tensor]:
    def fill(tensor: torch.Tensor) -> torch.Tensor:
        tensor.view(-1)[0] = value
        return tensor

    return fill


def _config(content: Content) -> Content:
    config: Content = content["metadata"]["config"]
    return config.get("classifier", config)


NUMBERS = "expected finite floating-point numbers"
NOT_WEIGHTS = (
    Case("nan", lambda c: _first(c, _with(float("nan"))), f"has NaN or infinity; {NUMBERS}"),
    Case("inf", lambda c: _first(c, _with(float("inf"))), f"has NaN or infinity; {NUMBERS}"),
    Case("large", lambda c: _first(c, lambda t: t.double() + 1e300), "has NaN or infinity"),
    Case("int8", lambda c: _first(c, lambda t: t.to(torch.int8)), "is torch.int8"),
    Case("bool", lambda c: _first(c, lambda t: t > 0), "is torch.bool"),
    Case("complex", lambda c: _first(c, lambda t: t.to(torch.complex64)), "is torch.complex64"),
    Case("shape", lambda c: _first(c, lambda t: t[None]), "mis-shaped: "),
    Case("empty", lambda c: _first(c, lambda t: t[:0]), "mis-shaped: "),
    Case("missing", lambda c: c["state_dict"].pop(next(iter(c["state_dict"]))), "missing: "),
    Case("extra", lambda c: c["state_dict"].update(x=torch.zeros(1)), "extra: x"),
    Case("no tensor", lambda c: c["state_dict"].update(x=1), "'x' is a int; expected tensors"),
    Case("no names", lambda c: c.update(state_dict=[1]), "expected tensors by name"),
    Case("no state", lambda c: c.pop("state_dict"), "expected tensors by name"),
    Case("no facts", lambda c: c.update(metadata=3), "metadata is int; expected a dict"),
    Case("network", lambda c: c["metadata"].update(network="x"), "weights of 'x', expected"),
    Case("classes", lambda c: c["metadata"].update(class_names="cat"), "expected a list of names"),
    Case("no classes", lambda c: c["metadata"].update(class_names=[]), "has 0 class_names"),
    Case("twice", lambda c: c["metadata"].update(class_names=["a", "a"]), "2 class_names"),
    Case("no config", lambda c: c["metadata"].update(config=None), "has no config; expected"),
    Case("key", lambda c: _config(c).update(unknown_key=1), "unknown_key"),
    Case("hub", lambda c: _config(c)["backbone"].update(name="hf-hub:a/b"), "backbone.name"),
    Case("name", lambda c: _config(c)["backbone"].update(name="no_net"), "no network of this name"),
    Case("stride", lambda c: _config(c)["backbone"].update(output_stride=1), "output_stride"),
    Case("format", lambda c: c.update(format="other"), "not a weights file of this project"),
)


def write_networks(folder: Path) -> dict[str, Path]:
    """Writes the weights of each kind of network, as its training does; by the kind's name."""
    torch.manual_seed(0)
    sections = {"classifier": {"backbone": BACKBONE}, "method": {"kind": "cam", "epochs": 1}}
    training = read_training(json.dumps(sections))
    classifier = find_kind("cam").build_network(training, len(CLASSES), load=None)
    affinity = AffinityConfig(backbone=BACKBONE, epochs=1, features=(1, 2), channels=(4, 4))
    segmenter = SegmenterConfig(backbone=BACKBONE, epochs=1, rates=(1,))
    facts = {
        "classifier": (classifier, classifier_metadata(training, CLASSES)),
        "affinity": (
            build_affinity_net(affinity),
            {
                "network": "affinity",
                "class_names": list(CLASSES),
                "config": affinity.model_dump(mode="json"),
            },
        ),
        "deeplab": (
            build_deeplab(segmenter, num_classes=1 + len(CLASSES)),
            segmenter_metadata(segmenter, CLASSES),
        ),
    }
    for name, (network, metadata) in facts.items():
        save_weights(folder / f"{name}.pt", network.state_dict(), metadata)
    return {name: folder / f"{name}.pt" for name in facts}


def loaders() -> dict[str, Callable[[Path], object]]:
    """What reads the weights of each kind of network."""
    return {
        "classifier": lambda path: load_classifier(path, CLASSES, kind="cam"),
        "affinity": lambda path: load_affinity_net(path, CLASSES),
        "deeplab": lambda path: load_segmenter(path, CLASSES),
    }


def changed(path: Path, case: Case) -> Content:
    """The content of a file after a change."""
    content = copy.deepcopy(torch.load(path, weights_only=True))
    case.change(content)
    return content


def save(path: Path, content: Content) -> None:
    """Writes content as it is, whatever it is."""
    torch.save(content, path)
