"""The classification loss, with which all classifiers learn from image-level labels.

Letters: B images, K foreground classes, H W pixels.
"""

import torch.nn.functional as F
from torch import Tensor

from wsss_core.losses.shapes import expect_shape


def classification_loss(cam_logits: Tensor, label: Tensor) -> Tensor:
    """Computes the multi-label soft-margin loss of the spatial mean of the CAM.

    Args:
        cam_logits: [B, K, H, W], any range.
        label: [B, K] in {0, 1}.

    Returns:
        Scalar, the mean over images and classes.
    """
    expect_shape("label", label, cam_logits.shape[:2])
    return F.multilabel_soft_margin_loss(cam_logits.mean((-2, -1)), label)
