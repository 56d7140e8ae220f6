"""What a weights file tells about its network beside classes and config: input, origin."""

from typing import Any

from wsss_core.models.backbone import Backbone
from wsss_core.models.precision import Precision
from wsss_core.runtime.version import package_version


def model_card(
    backbone: Backbone, *, seed: int, code: str, precision: Precision | None
) -> dict[str, Any]:
    """Facts for `save_weights`; our own code needs none of them to rebuild the network.

    Args:
        backbone: Of the network.
        seed: Of its training.
        code: Digest of the code that trained it; two files with the same one can be compared.
        precision: That it computed in; None: the network was not trained.
    """
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
    }
