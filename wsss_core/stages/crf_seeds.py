"""Stage crf_seeds: CAMs with a strong and a weak background, each refined by a dense CRF.

AffinityNet is trained on them (psa, SEAM). The stage runs on the CPU in several processes, without
torch.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import partial

import numpy as np
from numpy.typing import NDArray

from wsss_core.config.crf_seeds import CrfSeedsConfig
from wsss_core.data.dataset import TRAIN_SPLIT, Dataset
from wsss_core.data.score_maps import ScoreReader, ScoreRecord
from wsss_core.ops.crf import dense_crf
from wsss_core.runtime.parallel_map import parallel_map


def seed_ids(dataset: Dataset, cams: ScoreReader) -> list[str]:
    """Returns the training images of a CAM file; other images need no seeds."""
    trained_on = set(dataset.split(TRAIN_SPLIT))
    return [image_id for image_id in cams.image_ids if image_id in trained_on]


def crf_seed(
    image: NDArray[np.uint8], cam: ScoreRecord, config: CrfSeedsConfig
) -> NDArray[np.float32]:
    """Refines the CAMs of one image with both backgrounds.

    The background score is (1 - max CAM) ** alpha. The labels are background and the present
    classes only (SEAM, infer_SEAM.py). The stacked scores are not normalised; see `dense_crf`.

    Args:
        image: uint8 [H, W, 3], RGB.
        cam: Scores [n, H, W] of the n present classes.
        config: Alphas and CRF.

    Returns:
        float32 [2, 1 + n, H, W]: probabilities for the low and the high alpha. Without any class,
        all is background.
    """
    if not cam.class_ids:
        return np.ones((2, 1, *image.shape[:2]), dtype=np.float32)
    scores = np.stack(
        [
            np.concatenate([(1 - cam.scores.max(axis=0, keepdims=True)) ** alpha, cam.scores])
            for alpha in (config.low_alpha, config.high_alpha)
        ]
    )
    return dense_crf(image, scores, **config.crf.model_dump())


def crf_seeds(
    dataset: Dataset,
    cams: ScoreReader,
    image_ids: Sequence[str],
    *,
    config: CrfSeedsConfig,
    processes: int,
) -> Iterator[tuple[str, ScoreRecord]]:
    """Refines the CAMs of many images in parallel.

    Args:
        dataset: The images.
        cams: Scores of kind 'cam'.
        image_ids: The images to process.
        config: Alphas and CRF.
        processes: Number of images that are processed at a time.

    Yields:
        (image id, record of kind 'seed'), in the order of `image_ids`.
    """
    work = partial(_refine_stored, dataset, cams, config)
    yield from zip(image_ids, parallel_map(work, image_ids, processes=processes), strict=True)


def _refine_stored(
    dataset: Dataset, cams: ScoreReader, config: CrfSeedsConfig, image_id: str
) -> ScoreRecord:
    cam = cams.read(image_id)
    seed = crf_seed(dataset.read_image(image_id), cam, config)
    return ScoreRecord(class_ids=(0, *cam.class_ids), scores=seed)
