"""The mean IoU of single images."""

from __future__ import annotations

import numpy as np
import pandas as pd

from wsss_core.data.pixel_counts import class_counts
from wsss_core.ops.metrics import intersection_over_union


def image_miou(counts: pd.DataFrame, num_classes: int) -> dict[str, float]:
    """Computes the mean IoU of each image, over the classes in its true or its predicted mask.

    Args:
        counts: Rows of read_pixel_counts for one split, method and seed.
        num_classes: C, with background.

    Returns:
        Percent, by image id.
    """
    images, totals = class_counts(counts, num_classes)
    iou = intersection_over_union(*np.moveaxis(totals, 1, 0))
    return dict(zip(images, (100 * np.nanmean(iou, axis=1)).tolist(), strict=True))
