"""Fully connected conditional random field (Kraehenbuehl and Koltun, NIPS 2011)."""

import numpy as np
from numpy.typing import NDArray
from pydensecrf.densecrf import DenseCRF2D

MIN_PROB = 1e-5  # the unary energy is -log(prob), which is infinite for 0


def dense_crf(  # noqa: PLR0913
    image: NDArray[np.uint8],
    prob: NDArray[np.float32],
    *,
    iterations: int,
    gaussian_sxy: float,
    gaussian_compat: float,
    bilateral_sxy: float,
    bilateral_srgb: float,
    bilateral_compat: float,
) -> NDArray[np.float32]:
    """Refines label scores by mean-field inference in a dense CRF on the image.

    The scores need not sum to 1 over the labels. The unary energy is -log(clip(score, 1e-5, 1)),
    and the first mean-field step normalises. SEAM and psa also pass unnormalised background and CAM
    scores to pydensecrf, and their background alphas are tuned for such scores.

    Args:
        image: uint8 [H, W, 3], RGB.
        prob: float [..., n, H, W], scores >= 0 of n labels. Leading axes are separate problems on
            the same image. They share the lattice of the pairwise terms, which is costly to build.
        iterations: Mean-field iterations.
        gaussian_sxy: Standard deviation of the smoothness kernel in pixels.
        gaussian_compat: Potts penalty of the smoothness kernel.
        bilateral_sxy: Standard deviation of the appearance kernel in pixels.
        bilateral_srgb: Standard deviation of the appearance kernel in colour, on a scale of 0 to
            255.
        bilateral_compat: Potts penalty of the appearance kernel.

    Returns:
        float32, the shape of `prob`; sums to 1 over the labels.
    """
    num_labels, height, width = prob.shape[-3:]
    assert image.shape == (height, width, 3), f"image {image.shape}, scores {prob.shape}"
    crf = DenseCRF2D(width, height, num_labels)
    crf.addPairwiseGaussian(sxy=gaussian_sxy, compat=gaussian_compat)
    crf.addPairwiseBilateral(
        sxy=bilateral_sxy,
        srgb=bilateral_srgb,
        rgbim=np.ascontiguousarray(image),
        compat=bilateral_compat,
    )
    refined = []
    for scores in prob.reshape(-1, num_labels, height * width):
        energy = -np.log(np.clip(scores, MIN_PROB, 1.0, dtype=np.float32))
        crf.setUnaryEnergy(np.ascontiguousarray(energy))
        refined.append(np.array(crf.inference(iterations), dtype=np.float32))
    return np.stack(refined).reshape(prob.shape)
