"""CAMs and CRF seeds as SEAM's scripts read them (infer_SEAM.py, voc12/data.py), and psa's."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    from wsss_core.data.score_maps import ScoreRecord

# Seeds under the low and the high alpha of the background, by the scripts' own names:
# train_aff.py takes them as --la_crf_dir and --ha_crf_dir.
SEED_FOLDERS = ("la_crf", "ha_crf")


def cam_dict(cam: ScoreRecord) -> dict[int, NDArray[np.float32]]:
    """Turns the CAMs of an image into what `--out_cam` has in a file.

    Args:
        cam: Scores [n, H, W] of the n classes present.

    Returns:
        float32 [H, W] by class. The first class is 0 here, for background is not among them.
    """
    return {k - 1: scores for k, scores in zip(cam.class_ids, cam.scores, strict=True)}


def seed_dicts(seed: ScoreRecord) -> list[dict[int, NDArray[np.float32]]]:
    """Turns the CRF seeds of an image into what `--out_crf` has in a file of each folder.

    Args:
        seed: Scores [2, 1 + n, H, W] of background and the n classes present.

    Returns:
        For each of SEED_FOLDERS: float32 [H, W] by class. Here 0 is background, as with us, and
        comes first: the scripts stack what they find in the order of the file.
    """
    return [dict(zip(seed.class_ids, scores, strict=True)) for scores in seed.scores]
