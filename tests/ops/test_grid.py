"""Maps keep their place when they are brought from grid to grid."""

import numpy as np
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from wsss_core.ops.grid import resample


def resample_plainly(cells: np.ndarray, covered: int, stride: int, length: int) -> np.ndarray:
    """One row of cells, read at the centres of `length` pixels over `covered` old pixels."""
    result = np.zeros(length)
    for pixel in range(length):
        centre = (pixel + 0.5) * covered / length / stride - 0.5  # in cells
        centre = min(max(centre, 0), len(cells) - 1)
        left = int(centre)
        right = min(left + 1, len(cells) - 1)
        result[pixel] = cells[left] + (centre - left) * (cells[right] - cells[left])
    return result


@given(covered=st.integers(1, 60), stride=st.sampled_from([4, 8, 16]), length=st.integers(1, 90))
@settings(max_examples=80)
def test_cells_stay_where_they_are_in_the_image(covered, stride, length):
    cells = np.random.default_rng(0).random(-(-covered // stride))
    maps = torch.from_numpy(cells).view(1, 1, 1, -1)
    row = resample(maps, covered=(stride, covered), stride=stride, grid=(1, length))
    assert row.shape == (1, 1, 1, length)
    expected = resample_plainly(cells, covered, stride, length)
    np.testing.assert_allclose(row[0, 0, 0].numpy(), expected, atol=1e-4)
