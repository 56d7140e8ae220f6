"""Stage segment_crf: a dense CRF on the segmenter's probabilities, on the CPU, without torch."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from typing import NamedTuple

import cv2
import numpy as np
from numpy.typing import NDArray

from wsss_core.config.crf import CrfConfig
from wsss_core.data.dataset import Dataset
from wsss_core.data.score_maps import ScoreReader
from wsss_core.ops.crf import dense_crf
from wsss_core.runtime.parallel_map import parallel_map

# Classes that reach this probability nowhere are left out. The CRF's time grows with the number of
# labels, and the pairwise terms only spread labels that are the best somewhere.
NEGLIGIBLE_PROB = 0.02


class Refined(NamedTuple):
    """The probabilities of an image after the CRF.

    Attributes:
        classes: uint8 [n], ascending: the classes that the CRF distinguished.
        prob: float32 [n, H, W], sums to 1.
    """

    classes: NDArray[np.uint8]
    prob: NDArray[np.float32]


def refine_mask(
    image: NDArray[np.uint8], prob: NDArray[np.float32], *, config: CrfConfig
) -> NDArray[np.uint8]:
    """Refines one image's probabilities and returns the best class of each pixel.

    The arguments are those of `refine_prob`.

    Returns:
        uint8 [H, W] class indices.
    """
    classes, refined = refine_prob(image, prob, config=config)
    mask: NDArray[np.uint8] = classes[refined.argmax(axis=0)]
    return mask


def refine_prob(
    image: NDArray[np.uint8], prob: NDArray[np.float32], *, config: CrfConfig
) -> Refined:
    """Refines one image's probabilities.

    Args:
        image: uint8 [H, W, 3], RGB.
        prob: float32 [C, h, w], background first; it is enlarged bilinearly to the image's size.
        config: The CRF.
    """
    candidates = candidate_classes(prob)
    height, width = image.shape[:2]
    if len(candidates) == 1:
        refined = np.ones((1, height, width), dtype=np.float32)
    else:
        enlarged = np.stack(
            [
                cv2.resize(prob[k], (width, height), interpolation=cv2.INTER_LINEAR)
                for k in candidates
            ]
        )
        refined = dense_crf(image, enlarged, **config.model_dump())
    return Refined(candidates.astype(np.uint8), refined)


def candidate_classes(prob: NDArray[np.float32]) -> NDArray[np.intp]:
    """Lists the classes [n], ascending, that the CRF must distinguish.

    Args:
        prob: float32 [C, h, w] probabilities.
    """
    likely = np.flatnonzero(prob.max(axis=(1, 2)) >= NEGLIGIBLE_PROB)
    return np.union1d(likely, prob.argmax(axis=0))


def segmentation_crf(
    dataset: Dataset, probs: ScoreReader, *, config: CrfConfig, processes: int
) -> Iterator[tuple[str, NDArray[np.uint8]]]:
    """Refines the segmentations of one shard.

    Args:
        dataset: The images.
        probs: Scores of kind 'prob'.
        config: The CRF.
        processes: Number of images that are processed at a time.

    Yields:
        (image id, mask uint8 [H, W]), in the order of the scores.
    """
    work = partial(_refine_stored, dataset, probs, config)
    masks = parallel_map(work, probs.image_ids, processes=processes)
    yield from zip(probs.image_ids, masks, strict=True)


def _refine_stored(
    dataset: Dataset, probs: ScoreReader, config: CrfConfig, image_id: str
) -> NDArray[np.uint8]:
    return refine_mask(dataset.read_image(image_id), probs.read(image_id).scores, config=config)
