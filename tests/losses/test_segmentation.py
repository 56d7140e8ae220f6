"""Tests of the segmentation loss: values, and ignored pixels."""

import math

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from wsss_core.losses.segmentation import segmentation_loss


def _random(seed: int, *, height: int = 6, width: int = 5) -> tuple[Tensor, Tensor]:
    generator = torch.Generator().manual_seed(seed)
    logits = torch.randn(2, 3, height, width, generator=generator, dtype=torch.float64)
    mask = torch.randint(0, 4, (2, height, width), generator=generator, dtype=torch.uint8)
    mask[mask == 3] = 255
    return logits, mask


def test_value_by_hand() -> None:
    # Pixel (0, 0): p(0) = e / (e + 1). Pixel (0, 1): p(1) = 1/2. Pixel (1, 0) is ignored.
    logits = torch.tensor([[[[1.0, 0.0], [9.0, 0.0]], [[0.0, 0.0], [0.0, 0.0]]]])
    mask = torch.tensor([[[0, 1], [255, 255]]], dtype=torch.uint8)
    expected = (-math.log(math.e / (math.e + 1)) + math.log(2)) / 2
    assert segmentation_loss(logits, mask).item() == pytest.approx(expected)


@given(seed=st.integers(0, 2**32 - 1))
@settings(max_examples=20)
def test_equals_a_loop_over_pixels(seed: int) -> None:
    logits, mask = _random(seed)
    terms = [
        -torch.log_softmax(logits[b, :, y, x], dim=0)[int(mask[b, y, x])].item()
        for b, y, x in (mask != 255).nonzero().tolist()
    ]
    expected = sum(terms) / max(1, len(terms))
    assert segmentation_loss(logits, mask).item() == pytest.approx(expected, rel=1e-5)


@given(seed=st.integers(0, 2**32 - 1))
@settings(max_examples=20)
def test_does_not_depend_on_ignored_pixels_and_flips(seed: int) -> None:
    logits, mask = _random(seed)
    loss = segmentation_loss(logits, mask)
    changed = torch.where((mask == 255)[:, None], 7.0, logits)
    torch.testing.assert_close(segmentation_loss(changed, mask), loss)
    torch.testing.assert_close(segmentation_loss(logits.flip(3), mask.flip(2)), loss)


def test_nothing_to_learn_from_is_zero_with_zero_gradients() -> None:
    logits = torch.randn(2, 3, 4, 4, requires_grad=True)
    loss = segmentation_loss(logits, torch.full((2, 4, 4), 255, dtype=torch.uint8))
    loss.backward()
    assert loss.item() == 0
    assert torch.equal(logits.grad, torch.zeros_like(logits))


def test_gradient() -> None:
    logits, mask = _random(0, height=3, width=4)
    assert torch.autograd.gradcheck(
        lambda logits: segmentation_loss(logits, mask), logits.requires_grad_()
    )


def test_half_precision_logits_are_averaged_in_float32() -> None:
    logits, mask = _random(1)
    half = segmentation_loss(logits.bfloat16(), mask)
    assert half.dtype == torch.float32
    assert half.item() == pytest.approx(segmentation_loss(logits, mask).item(), rel=0.02)


def test_masks_of_another_batch_are_refused() -> None:
    logits, mask = _random(1)
    with pytest.raises(ValueError, match=r"mask has shape .*; expected"):
        segmentation_loss(logits, mask[:0])
