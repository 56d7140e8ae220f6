"""random_walk: the random walk for the scores of one image."""

import torch
from torch import Tensor

from benchmarks.pictures import NUM_CLASSES
from benchmarks.rows import Row
from benchmarks.timing import compare, name_of, scaled
from wsss_core.ops.affinity import Offset, pair_offsets, pair_slices, pairwise_affinity
from wsss_core.ops.random_walk import random_walk

GRID = (47, 63)  # a photograph of 375 x 500 pixels at stride 8
BETA, LOG2_STEPS = 8.0, 6  # SEAM, infer_aff.py
PRESENT = 3  # channels: background and two classes


def dense_random_walk(scores: Tensor, affinity: Tensor, offsets: tuple[Offset, ...]) -> Tensor:
    """Computes the walk by repeated squaring of the dense matrix of transitions, as usual (psa).

    Takes scores [1, C, h, w] and affinities [1, P, h, w]; returns scores.
    """
    height, width = scores.shape[-2:]
    cells = torch.arange(height * width, device=scores.device).view(height, width)
    matrix = torch.eye(height * width, device=scores.device)
    for pair, source, target in pair_slices(height, width, offsets):
        rows, columns = cells[source].flatten(), cells[target].flatten()
        matrix[rows, columns] = matrix[columns, rows] = affinity[0, pair][source].flatten()
    matrix = matrix**BETA
    matrix = matrix / matrix.sum(dim=0, keepdim=True)
    for _ in range(LOG2_STEPS):
        matrix = matrix @ matrix
    return (scores.flatten(2) @ matrix).view(scores.shape)


def run(device: torch.device) -> list[Row]:
    """Usual: all classes, by a dense matrix. Ours: the present classes, by shifted sums."""
    torch.manual_seed(0)
    offsets = pair_offsets(5)
    features = torch.randn(1, 64, *GRID, device=device).cumsum(-1).cumsum(-2) / 50
    affinity = pairwise_affinity(features, offsets)
    scores = torch.zeros(1, 1 + NUM_CLASSES, *GRID, device=device)
    scores[:, :PRESENT] = torch.rand(1, PRESENT, *GRID, device=device)

    def ours() -> Tensor:
        present = scores[:, :PRESENT]
        return random_walk(present, affinity, offsets, beta=BETA, num_steps=2**LOG2_STEPS)

    def usual() -> Tensor:
        return dense_random_walk(scores, affinity, offsets)

    difference = (ours() - usual()[:, :PRESENT]).abs().max().item()
    seconds = compare(ours, usual, repetitions=3, device=device)
    return [
        Row("random_walk", *scaled(seconds, 1000), "ms/image", "50x", name_of(device)),
        Row("random_walk_difference", difference, None, "score", "<= 1e-5", name_of(device)),
    ]
