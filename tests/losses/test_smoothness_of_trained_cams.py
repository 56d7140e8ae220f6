"""Tests of the smoothness loss on CAMs of a trained network: true boundaries improve them.

The test follows the gradient on the maps, with a weak term that keeps them near their start. The
maps are those of demo_cams.py.
"""

from typing import Any

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from torch import Tensor

from tests.losses.demo_cams import FILE
from wsss_core.data.images import IGNORE_INDEX
from wsss_core.losses.smoothness import OPERATORS, smoothness_loss
from wsss_core.ops.boundary import semantic_boundary
from wsss_core.ops.cam import share_of_maximum

WEIGHT, TIE = 0.1, 0.01  # of the smoothness loss, as in the demo, and of the tie
OPERATOR = OPERATORS["released"]._replace(padding="replicate")  # as in the demo
SCORES = {"sigmoid": torch.sigmoid, "normalized": share_of_maximum}


def maps() -> tuple[Tensor, Tensor]:
    """Logits [N, 1, 36, 36] at the size of the loss, and masks [N, 36, 36]; every third of all."""
    with np.load(FILE) as file:
        logits, masks = (torch.from_numpy(file[name][::3]) for name in ("logits", "masks"))
    size = masks.shape[-2:]
    cells = logits.float()[:, None]
    return F.interpolate(cells, size, mode="bilinear", align_corners=False), masks


def boundaries(masks: Tensor, radius: int = 1) -> Tensor:
    return semantic_boundary(masks, num_classes=2, radius=radius)[:, 1:]


def flow(start: Tensor, boundary: Tensor, score: str, **changes: Any) -> Tensor:
    """Logits that the loss alone leads to, but for the tie."""
    logits = start.clone().requires_grad_()
    optimizer = torch.optim.Adam([logits], lr=0.15)
    present = torch.ones(len(start), 1)
    for _ in range(60):
        loss = smoothness_loss(
            SCORES[score](logits),
            boundary,
            present=present,
            operators=OPERATOR,
            pixel_size=448 / start.shape[-1],
            **changes,
        )
        tie = (logits - start).square().mean() / 2
        optimizer.zero_grad()
        (WEIGHT * loss + TIE * tie).backward()
        optimizer.step()
    return logits.detach()


def foreground_iou(logits: Tensor, masks: Tensor) -> float:
    """In percent, over all maps, at the best threshold on them divided by their maximum."""
    score, counted = share_of_maximum(logits)[:, 0], masks != IGNORE_INDEX
    true = masks == 1
    found = [(score > t) & counted for t in np.arange(0.02, 1, 0.02)]
    return max(((f & true).sum() / ((f | true) & counted).sum()).item() for f in found) * 100


@pytest.mark.parametrize(("score", "gain"), [("sigmoid", 1.5), ("normalized", 3.0)])
def test_true_boundaries_raise_the_foreground_iou(score, gain):
    start, masks = maps()
    end = flow(start, boundaries(masks), score)
    assert foreground_iou(end, masks) > foreground_iou(start, masks) + gain


@pytest.mark.parametrize("score", SCORES)
def test_maps_without_a_boundary_are_better_left_out(score):
    """As where a segmentation has missed the class: here in every second map."""
    start, masks = maps()
    boundary = boundaries(masks)
    boundary[::2] = 0
    smoothed, left = (
        flow(start, boundary, score, without_boundary=choice) for choice in ("smooth", "leave")
    )
    torch.testing.assert_close(left[::2], start[::2])
    assert foreground_iou(left, masks) > foreground_iou(smoothed, masks) + 0.3


def main() -> None:
    """Prints the scores, in docs/paper-vs-code.md."""
    start, masks = maps()
    print(f"start: {foreground_iou(start, masks):.1f}")  # noqa: T201
    for score in SCORES:
        for radius in (1, 2, 3):
            end = flow(start, boundaries(masks, radius), score)
            print(f"{score}, radius {radius}: {foreground_iou(end, masks):.1f}")  # noqa: T201
        half = boundaries(masks)
        half[::2] = 0
        for choice in ("smooth", "leave"):
            end = flow(start, half, score, without_boundary=choice)
            print(f"{score}, half, {choice}: {foreground_iou(end, masks):.1f}")  # noqa: T201


if __name__ == "__main__":
    main()
