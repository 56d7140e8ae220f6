"""CAMs as the scripts of IRN read them (step/cam_to_ir_label.py, step/make_sem_seg_labels.py)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from wsss_core.data.score_maps import ScoreRecord

STRIDE = 4  # pixels per cell of IRN's random walk
EPS = 1e-5  # as there


def irn_dict(cam: ScoreRecord) -> dict[str, Any]:
    """Turns the CAMs of an image into what step/make_cam.py has in a file.

    Differs from there: the maps of the walk are means over its cells, where IRN interpolates them
    from the network's, which are no longer known.

    Args:
        cam: Scores [n, H, W] of the n classes present.

    Returns:
        keys: int64 [n], the classes; the first class is 0.
        cam: A tensor, float32 [n, ceil(H / 4), ceil(W / 4)], each map's maximum is 1.
        high_res: float32 [n, H, W].
    """
    import torch  # here, since Snakemake only needs to know the layout's name
    import torch.nn.functional as F

    height, width = cam.scores.shape[-2:]
    cells = torch.zeros(0, -(-height // STRIDE), -(-width // STRIDE))
    if cam.class_ids:
        cells = F.avg_pool2d(torch.from_numpy(cam.scores), STRIDE, ceil_mode=True)
        cells = cells / (cells.amax(dim=(1, 2), keepdim=True) + EPS)
    keys = np.array(cam.class_ids, dtype=np.int64) - 1
    return {"keys": keys, "cam": cells, "high_res": cam.scores}
