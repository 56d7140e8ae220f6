"""Tests of the selection of present classes' maps, and of putting them back."""

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from wsss_core.ops.present import present_pairs, put, strongest, take, with_background

LABEL = torch.tensor([[1.0, 0, 1], [0, 0, 0], [0, 1, 0]])


def test_pairs_by_hand():
    pairs = present_pairs(LABEL)
    assert pairs.tolist() == [[0, 0], [0, 2], [2, 1]]
    channels = [[0, 0], [1, 0], [2, 0], [0, 1], [0, 3], [2, 2]]
    assert with_background(pairs, 3).tolist() == channels


@given(seed=st.integers(0, 99), share=st.sampled_from([0.0, 0.3, 1.0]))
def test_what_is_picked_and_put_back_is_what_the_label_leaves(seed, share):
    generator = torch.Generator().manual_seed(seed)
    label = (torch.rand(2, 4, generator=generator) < share).double()
    maps = torch.rand(2, 4, 3, 5, generator=generator, dtype=torch.float64)
    maps = maps.contiguous(memory_format=torch.channels_last).requires_grad_()
    pairs = present_pairs(label)
    picked = take(maps, pairs)
    assert picked.shape == (int(label.sum()), 1, 3, 5)
    left = maps * label[:, :, None, None]
    assert torch.equal(put(picked, pairs, (2, 4)), left)
    slope = torch.rand(2, 4, 3, 5, generator=generator, dtype=torch.float64)
    found, expected = (
        torch.autograd.grad((x * slope).sum(), maps, retain_graph=True)[0]
        for x in (put(picked, pairs, (2, 4)), left)
    )
    assert torch.equal(found, expected)
    highest = strongest(picked, pairs, num_images=2)
    assert torch.equal(highest, left.amax(1))


def test_equally_strong_classes_share_the_gradient():
    maps = torch.ones(1, 2, 1, 1, requires_grad=True)
    pairs = present_pairs(torch.ones(1, 2))
    strongest(take(maps, pairs), pairs, num_images=1).sum().backward()
    assert maps.grad.flatten().tolist() == [0.5, 0.5]


@pytest.mark.parametrize("num_images", [1, 3])
def test_without_classes_nothing_is_strong(num_images):
    pairs = present_pairs(torch.zeros(num_images, 2))
    maps = take(torch.rand(num_images, 2, 2, 2), pairs)
    assert strongest(maps, pairs, num_images=num_images).abs().sum() == 0
