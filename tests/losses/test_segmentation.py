"""The segmentation loss: values, ignored pixels, resolution."""

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
    upsampled = mask.repeat_interleave(8, dim=1).repeat_interleave(8, dim=2)
    torch.testing.assert_close(
        segmentation_loss(logits, upsampled),
        segmentation_loss(logits.flip(3), upsampled.flip(2)),
    )


def test_a_logit_cell_covers_its_own_pixels() -> None:
    # A cell's logits decide its own 8x8 pixels, not pixels moved towards a corner.
    logits = torch.zeros(1, 2, 4, 4)
    logits[:, 1, 1, 2] = 20.0
    logits[:, 0] = 10.0
    mask = torch.zeros(1, 32, 32, dtype=torch.uint8)
    mask[:, 8:16, 16:24] = 1
    centred = segmentation_loss(logits, mask)
    for shift in (-2, 2):
        for axis in (1, 2):
            assert centred < segmentation_loss(logits, mask.roll(shift, axis))


def test_nothing_to_learn_from_is_zero_with_zero_gradients() -> None:
    logits = torch.randn(2, 3, 4, 4, requires_grad=True)
    loss = segmentation_loss(logits, torch.full((2, 32, 32), 255, dtype=torch.uint8))
    loss.backward()
    assert loss.item() == 0
    assert torch.equal(logits.grad, torch.zeros_like(logits))


@pytest.mark.parametrize("align_corners", [False, True])
def test_gradient(*, align_corners: bool) -> None:
    logits, mask = _random(0, height=3, width=4)
    upsampled = mask.repeat_interleave(2, dim=1).repeat_interleave(2, dim=2)

    def loss(logits: Tensor) -> Tensor:
        return segmentation_loss(logits, upsampled, align_corners=align_corners)

    assert torch.autograd.gradcheck(loss, logits.requires_grad_())


def test_with_aligned_corners_cells_lie_on_the_first_and_the_last_pixel() -> None:
    """Two cells over five pixels: quarters of the way between them."""
    logits = torch.tensor([[[[0.0, 0.0]], [[-4.0, 4.0]]]])
    terms = [math.log(1 + math.exp(-logit)) for logit in (-4, -2, 0, 2, 4)]
    loss = segmentation_loss(logits, torch.ones(1, 1, 5, dtype=torch.uint8), align_corners=True)
    assert loss.item() == pytest.approx(sum(terms) / 5)


def test_half_precision_logits_are_averaged_in_float32() -> None:
    logits, mask = _random(1)
    half = segmentation_loss(logits.bfloat16(), mask)
    assert half.dtype == torch.float32
    assert half.item() == pytest.approx(segmentation_loss(logits, mask).item(), rel=0.02)


def test_masks_of_another_batch_are_refused() -> None:
    logits, mask = _random(1)
    with pytest.raises(ValueError, match=r"mask has shape .*; expected"):
        segmentation_loss(logits, mask[:0])
