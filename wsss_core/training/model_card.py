"""The metadata of a weights file that describe the network's input and origin."""

from pathlib import Path
from typing import Any

import timm
import torch

from wsss_core.config.precision import Precision
from wsss_core.data.dataset_digest import dataset_digest
from wsss_core.models.backbone import Backbone
from wsss_core.runtime.version import code_version, package_version


def model_card(
    backbone: Backbone,
    *,
    seed: int,
    code: str,
    precision: Precision | None,
    device: torch.device,
    dataset: Path,
) -> dict[str, Any]:
    """Collects metadata for `save_weights`; our code does not need them to rebuild the network.

    Args:
        backbone: Backbone of the network.
        seed: Seed of the training.
        code: Digest of the training code; files with equal digests are comparable.
        precision: Precision of the training; None: the network was not trained.
        device: Device of the training.
        dataset: Folder of the prepared dataset of the training.

    Returns:
        `input` (layout, mean, std, margin, multiple), `strides`, `seed`, `code`, `precision`,
        `version` of this package, `commit` of its code, versions of `torch` and `timm`, name of the
        `device`, and `dataset`, a SHA-256 of its tables of classes, labels and digests of images.
    """
    is_gpu = device.type == "cuda"
    return {
        "input": {
            "layout": "[B, 3, H, W], RGB in [0, 1]; normalised by (input - mean) / std",
            "mean": backbone.mean.tolist(),
            "std": backbone.std.tolist(),
            "margin": backbone.geometry.margin,
            "multiple": backbone.multiple,
        },
        "strides": list(backbone.geometry.strides),
        "seed": seed,
        "code": code,
        "precision": precision,
        "version": package_version(),
        "commit": code_version(),
        "torch": str(torch.__version__),
        "timm": timm.__version__,
        "device": torch.cuda.get_device_name(device) if is_gpu else device.type,
        "dataset": dataset_digest(dataset),
    }
