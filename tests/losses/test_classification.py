import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.losses.test_seam import SHAPES, labels, rand
from wsss_core.losses.classification import classification_loss


def test_classification_by_hand():
    """Spatial means 0 and log(3): probabilities 1/2 and 3/4."""
    cam_logits = torch.tensor([[[-1.0, 1.0]], [[0.0, 2 * np.log(3)]]]).view(1, 2, 1, 2)
    loss = classification_loss(cam_logits, torch.tensor([[1.0, 0.0]]))
    assert loss.item() == pytest.approx((np.log(2) + np.log(4)) / 2)


@given(shape=SHAPES, seed=st.integers(0, 99))
@settings(max_examples=30)
def test_classification_as_the_formula(shape, seed):
    cam_logits = 8 * rand(*shape, seed=seed) - 4
    label = labels(*shape[:2], seed=seed + 1)
    total = 0.0
    for image, class_id in np.ndindex(shape[:2]):
        prob = 1 / (1 + np.exp(-cam_logits[image, class_id].numpy().mean()))
        total -= np.log(prob if label[image, class_id] else 1 - prob)
    loss = classification_loss(cam_logits, label)
    assert loss.item() == pytest.approx(total / (shape[0] * shape[1]))
