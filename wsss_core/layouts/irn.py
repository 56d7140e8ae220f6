"""CAMs in the format of IRN's scripts (step/cam_to_ir_label.py, step/make_sem_seg_labels.py)."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
import torch.nn.functional as F

from wsss_core.data.score_maps import ScoreRecord

STRIDE = 4  # image pixels per cell of IRN's random walk
EPS = 1e-5  # as in IRN


def irn_dict(cam: ScoreRecord) -> dict[str, Any]:
    """Converts the CAMs of an image to the content of a file of step/make_cam.py.

    Differs from IRN: the low-resolution maps are means over the cells of the walk. IRN interpolates
    them from the output of the network, which is not stored here.

    Args:
        cam: Scores [n, H, W] of the n classes present.

    Returns:
        keys: int64 [n], the classes, counted from 0 without background.
        cam: Tensor, float32 [n, ceil(H / 4), ceil(W / 4)]; the maximum of each map is 1.
        high_res: float32 [n, H, W].
    """
    height, width = cam.scores.shape[-2:]
    cells = torch.zeros(0, -(-height // STRIDE), -(-width // STRIDE))
    if cam.class_ids:
        cells = F.avg_pool2d(torch.from_numpy(cam.scores), STRIDE, ceil_mode=True)
        cells = cells / (cells.amax(dim=(1, 2), keepdim=True) + EPS)
    keys = np.array(cam.class_ids, dtype=np.int64) - 1
    return {"keys": keys, "cam": cells, "high_res": cam.scores}
