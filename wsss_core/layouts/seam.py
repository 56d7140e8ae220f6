"""CAMs and CRF seeds in the format of SEAM's and psa's scripts (infer_SEAM.py, voc12/data.py)."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from wsss_core.data.score_maps import ScoreRecord

# Folders for the seeds of the low and the high alpha. The names are those of the scripts:
# train_aff.py takes the folders as --la_crf_dir and --ha_crf_dir.
SEED_FOLDERS = ("la_crf", "ha_crf")


def cam_dict(cam: ScoreRecord) -> dict[int, NDArray[np.float32]]:
    """Converts the CAMs of an image to the content of a file in the folder `--out_cam`.

    Args:
        cam: Scores [n, H, W] of the n classes present.

    Returns:
        float32 [H, W] by class. Classes are counted from 0 here, since there is no background.
    """
    return {k - 1: scores for k, scores in zip(cam.class_ids, cam.scores, strict=True)}


def seed_dicts(seed: ScoreRecord) -> list[dict[int, NDArray[np.float32]]]:
    """Converts the CRF seeds of an image to the content of a file in each folder of `--out_crf`.

    Args:
        seed: Scores [2, 1 + n, H, W] of background and the n classes present.

    Returns:
        For each of SEED_FOLDERS: float32 [H, W] by class. 0 is background and comes first, since
        the scripts stack the maps in the order of the file.
    """
    return [dict(zip(seed.class_ids, scores, strict=True)) for scores in seed.scores]
