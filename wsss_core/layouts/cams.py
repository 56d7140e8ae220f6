"""The layouts of exported CAMs. Each has a function from the CAMs of an image to a dictionary."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

from wsss_core.layouts.irn import irn_dict
from wsss_core.layouts.seam import cam_dict

if TYPE_CHECKING:
    from wsss_core.data.score_maps import ScoreRecord

# By the name of the folder, `export/<name>`. Snakemake reads these names at each start, so a layout
# imports torch only inside of its function.
CAM_LAYOUTS: dict[str, Callable[[ScoreRecord], Mapping[Any, Any]]] = {
    "seam": cam_dict,
    "irn": irn_dict,
}
