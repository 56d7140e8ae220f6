"""What a weights file tells about its network beside classes and config: input, origin."""

import tomllib
from importlib import metadata
from pathlib import Path
from typing import Any

from wsss_core.models.backbone import Backbone
from wsss_core.models.precision import Precision

DISTRIBUTION = "wsss-core"
PYPROJECT = Path(__file__).resolve().parents[2] / "pyproject.toml"


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


def package_version() -> str:
    """The version in pyproject.toml, or of the installed package where there is no such file.

    It is read, not imported: a constant would be part of the code whose change trains anew. The
    file comes first: what pip noted of a package that it only links to stays as it was.
    """
    if PYPROJECT.is_file():
        project = tomllib.loads(PYPROJECT.read_text(encoding="utf-8")).get("project", {})
        if project.get("name") == DISTRIBUTION:  # not one that stands beside other packages
            return str(project["version"])
    try:
        return metadata.version(DISTRIBUTION)
    except metadata.PackageNotFoundError:
        return "unknown"
