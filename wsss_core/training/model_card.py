"""What a weights file tells about its network beside classes and config: input, origin."""

from pathlib import Path
from typing import Any

import timm
import torch

from wsss_core.data.dataset_digest import dataset_digest
from wsss_core.models.backbone import Backbone
from wsss_core.models.precision import Precision
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
    """Facts for `save_weights`; our own code needs none of them to rebuild the network.

    Args:
        backbone: Of the network.
        seed: Of its training.
        code: Digest of the code that trained it; two files with the same one can be compared.
        precision: That it computed in; None: the network was not trained.
        device: That it was trained on.
        dataset: The prepared dataset that it was trained on.

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
