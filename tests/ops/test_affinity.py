"""Tests of pairs and affinities against dense matrices over all pairs of cells."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from wsss_core.ops.affinity import (
    affinity_targets,
    fitting_radius,
    pair_offsets,
    pairwise_affinity,
    restrict_sources,
    seed_label,
    source_region,
)
from wsss_core.ops.grid import even


def dense_affinity(features, radius, *, psa_border):
    """[h*w, h*w] symmetric affinities with ones on the diagonal, cell by cell."""
    _, height, width = features.shape
    matrix = np.eye(height * width)
    for y in range(height):
        for x in range(width):
            if psa_border and not (
                y < height - radius + 1 and radius - 1 <= x < width - radius + 1
            ):
                continue
            for dy in range(radius):
                for dx in range(-radius + 1, radius):
                    if (dy == 0 and dx <= 0) or dy**2 + dx**2 >= radius**2:
                        continue
                    if y + dy < height and 0 <= x + dx < width:
                        distance = np.abs(features[:, y, x] - features[:, y + dy, x + dx]).mean()
                        i, j = y * width + x, (y + dy) * width + x + dx
                        matrix[i, j] = matrix[j, i] = np.exp(-distance)
    return matrix


def edges(features, offsets, *, psa_border):
    affinity = pairwise_affinity(features, offsets)
    return restrict_sources(affinity, offsets) if psa_border else affinity


@pytest.mark.parametrize(("radius", "count"), [(1, 0), (2, 4), (5, 34), (10, 152)])
def test_offsets_of_a_half_disc(radius, count):
    offsets = pair_offsets(radius)
    assert len(set(offsets)) == len(offsets) == count
    assert not set(offsets) & {(-dy, -dx) for dy, dx in offsets}


@pytest.mark.parametrize(
    ("size", "radius"), [((11, 40), 5), ((10, 40), 4), ((3, 3), 1), ((1, 9), 0)]
)
def test_small_grids_get_a_smaller_radius(size, radius):
    assert fitting_radius(5, *size) == radius


def test_source_region_of_psa():
    assert source_region(11, 13, pair_offsets(5)) == (slice(0, 7), slice(4, 9))
    assert source_region(3, 3, ()) == (slice(0, 3), slice(0, 3))


def test_affinity_by_hand():
    features = torch.tensor([[[0.0, 1.0], [0.0, 0.0]], [[0.0, 0.0], [3.0, 0.0]]])[None]
    affinity = pairwise_affinity(features, [(0, 1), (1, -1), (1, 0)])
    off_grid = 0.0
    expected = torch.tensor(
        [
            [[-0.5, 0], [-1.5, 0]],
            [[0, -2.0], [0, 0]],
            [[-1.5, -0.5], [0, 0]],
        ]
    ).exp()
    expected[0, :, 1] = expected[1, :, 0] = expected[1, 1] = expected[2, 1] = off_grid
    torch.testing.assert_close(affinity[0], expected)


def test_affinity_gradient():
    features = torch.randn(2, 3, 4, 5, dtype=torch.float64, requires_grad=True)
    offsets = pair_offsets(3)
    assert torch.autograd.gradcheck(lambda f: pairwise_affinity(f, offsets), features)


def test_affinity_of_constant_features_is_one_and_has_no_gradient():
    features = torch.ones(1, 4, 12, 12, requires_grad=True)
    affinity = pairwise_affinity(features, pair_offsets(5))
    region = source_region(12, 12, pair_offsets(5))
    assert (affinity[:, :, *region] == 1).all()
    affinity.sum().backward()
    assert (features.grad == 0).all()


def test_affinity_is_float32_under_half_precision():
    features = torch.randn(1, 300, 12, 12)
    exact = pairwise_affinity(features.bfloat16().double(), pair_offsets(5))
    coarse = pairwise_affinity(features.bfloat16(), pair_offsets(5))
    assert coarse.dtype == torch.float32
    torch.testing.assert_close(coarse.double(), exact, rtol=1e-5, atol=0)


def label_of(seeds, *, class_ids, cell):
    """Of cells of so many pixels per side."""
    height, width = seeds.shape[-2:]
    grid = even((height, width), (height // cell, width // cell))
    return seed_label(seeds, class_ids=class_ids, grid=grid)


def pooled_seeds(strong, weak, cell=2):
    """Seeds [2, n, H, W] from the probabilities of each cell, [n][h][w] nested lists."""
    cells = torch.tensor([strong, weak], dtype=torch.float32)
    return cells.repeat_interleave(cell, dim=-1).repeat_interleave(cell, dim=-2)


def test_seed_label_by_hand():
    # Cells: both foreground; strong background only; both background; foreground of two classes;
    # outside of the image.
    strong = [[[0.1, 0.8, 0.9, 0.1, 0]], [[0.7, 0.1, 0.1, 0.2, 0]], [[0.2, 0.1, 0, 0.7, 0]]]
    weak = [[[0.1, 0.2, 0.6, 0.0, 0]], [[0.9, 0.5, 0.4, 0.9, 0]], [[0, 0.3, 0, 0.1, 0]]]
    label = label_of(pooled_seeds(strong, weak), class_ids=(0, 4, 7), cell=2)
    assert label.dtype == torch.uint8
    assert label.tolist() == [[4, 255, 0, 7, 255]]


def test_seed_label_as_a_plain_loop():
    rng = np.random.default_rng(0)
    seeds = rng.random((2, 3, 24, 28))
    seeds[..., 24:] = 0  # no image
    ids = (0, 2, 5)
    label = label_of(torch.from_numpy(seeds), class_ids=ids, cell=4)
    for y, x in np.ndindex(6, 7):
        means = seeds[:, :, 4 * y : 4 * y + 4, 4 * x : 4 * x + 4].mean(axis=(2, 3))
        strong, weak = (ids[k] for k in means.argmax(axis=1))
        expected = strong if strong else 255
        if weak == 0:
            expected = 0
        if not means.any():
            expected = 255
        assert label[y, x] == expected
    assert len(label.unique()) == 4


def test_the_seeds_have_background_first():
    with pytest.raises(AssertionError, match="expected background first"):
        label_of(torch.zeros(2, 1, 8, 8), class_ids=(1,), cell=8)


def test_seed_label_averages_over_a_cell():
    seeds = torch.zeros(2, 2, 2, 2)
    seeds[:, 0, 0] = torch.tensor([1.0, 0.6])  # background 1.6 of 4
    seeds[:, 1] = torch.tensor([[0.0, 0.4], [1.0, 1.0]])  # class 3: 2.4 of 4
    assert label_of(seeds, class_ids=(0, 3), cell=2).tolist() == [[3]]


def test_seed_label_of_a_cell_at_the_edge_of_the_image():
    seeds = torch.zeros(2, 2, 4, 4)
    seeds[:, 1, 3, 3] = 1.0  # all that is inside the image
    assert label_of(seeds, class_ids=(0, 2), cell=4).tolist() == [[2]]


def test_targets_by_hand():
    label = torch.tensor([[[255, 1, 1, 2, 0], [0, 255, 2, 0, 0]]])
    targets = affinity_targets(label, [(0, 1), (1, 0)])
    # The region leaves out the last row and the outer columns: sources are (0, 1), (0, 2), (0, 3).
    assert targets.foreground[0].nonzero().tolist() == [[0, 0, 1]]
    assert targets.negative[0].nonzero().tolist() == [[0, 0, 2], [0, 0, 3], [1, 0, 2], [1, 0, 3]]
    assert not targets.background.any()


@given(data=st.data())
@settings(max_examples=30)
def test_targets_match_a_loop(data):
    height, width = data.draw(st.integers(1, 9)), data.draw(st.integers(1, 9))
    radius = data.draw(st.integers(1, 4))
    classes = st.lists(st.sampled_from([0, 1, 2, 255]), min_size=width, max_size=width)
    rows = data.draw(st.lists(classes, min_size=height, max_size=height))
    offsets = pair_offsets(radius)
    targets = affinity_targets(torch.tensor([rows], dtype=torch.uint8), offsets)
    expected = {"background": set(), "foreground": set(), "negative": set()}
    for p, (dy, dx) in enumerate(offsets):
        for y in range(height - radius + 1):
            for x in range(radius - 1, width - radius + 1):
                one, other = rows[y][x], rows[y + dy][x + dx]
                if 255 not in (one, other):
                    kind = "negative" if one != other else "foreground" if one else "background"
                    expected[kind].add((p, y, x))
    for kind, pairs in expected.items():
        assert {tuple(i) for i in getattr(targets, kind)[0].nonzero().tolist()} == pairs
