"""affinity_step: the pair labels and losses of AffinityNet."""

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from benchmarks.rows import Row
from benchmarks.timing import compare, name_of
from wsss_core.data.images import IGNORE_INDEX
from wsss_core.losses.affinity import affinity_loss
from wsss_core.ops.affinity import (
    Offset,
    affinity_targets,
    pair_offsets,
    pairwise_affinity,
    source_region,
)

BATCH_SIZE, CHANNELS, CELLS, RADIUS = 8, 448, 56, 5  # psa, train_aff.py


def pair_labels(
    label: NDArray[np.uint8], offsets: tuple[Offset, ...]
) -> tuple[NDArray[np.float32], ...]:
    """Computes the usual pair labels, in the loader: label [h, w] -> three sets of pairs [P, n].

    The sets are background, foreground and different pairs (psa, voc12/data.py,
    ExtractAffinityLabelInRadius).
    """
    rows, columns = source_region(label.shape[0], label.shape[1], offsets)
    source = label[rows, columns].ravel()
    targets = np.stack(
        [
            label[rows.start + dy : rows.stop + dy, columns.start + dx : columns.stop + dx].ravel()
            for dy, dx in offsets
        ]
    )
    known = (source < IGNORE_INDEX)[None] & (targets < IGNORE_INDEX)
    alike = (source[None] == targets) & known
    background = alike & (source == 0)[None]
    foreground = alike & (source != 0)[None]
    different = (source[None] != targets) & known
    return tuple(x.astype(np.float32) for x in (background, foreground, different))


def indexed_loss(
    features: Tensor, labels: list[tuple[NDArray[np.float32], ...]], offsets: tuple[Offset, ...]
) -> Tensor:
    """Computes the usual loss, in the step: features are gathered by the indices of all pairs."""
    height, width = features.shape[-2:]
    cells = torch.arange(height * width, device=features.device).view(height, width)
    rows, columns = source_region(height, width, offsets)
    source = cells[rows, columns].flatten()
    targets = torch.cat(
        [
            cells[
                rows.start + dy : rows.stop + dy, columns.start + dx : columns.stop + dx
            ].flatten()
            for dy, dx in offsets
        ]
    )
    flat = features.flatten(2)
    from_cells = flat[:, :, None, source]
    to_cells = flat[:, :, targets].view(*flat.shape[:2], len(offsets), -1)
    affinity = torch.exp(-(from_cells - to_cells).abs().mean(dim=1))
    sets = [torch.from_numpy(np.stack(s)).to(features.device) for s in zip(*labels, strict=True)]
    alike, different = -torch.log(affinity + 1e-5), -torch.log(1 + 1e-5 - affinity)
    terms = zip((alike, alike, different), sets, (0.25, 0.25, 0.5), strict=True)
    return torch.stack([w * (t * s).sum() / (s.sum() + 1e-5) for t, s, w in terms]).sum()


def run(device: torch.device) -> list[Row]:
    """Measures the labels, the loss and its gradient with respect to the features of a batch."""
    torch.manual_seed(0)
    offsets = pair_offsets(RADIUS)
    coarse = torch.randint(0, 3, (BATCH_SIZE, 1, 7, 7)).float()
    label = torch.nn.functional.interpolate(coarse, (CELLS, CELLS))[:, 0].to(torch.uint8)
    features = torch.randn(BATCH_SIZE, CHANNELS, CELLS, CELLS, device=device, requires_grad=True)

    def ours() -> Tensor:
        targets = affinity_targets(label.to(device), offsets)
        losses = affinity_loss(pairwise_affinity(features, offsets), targets)
        total = losses.background / 4 + losses.foreground / 4 + losses.negative / 2
        return torch.autograd.grad(total, features)[0]

    def usual() -> Tensor:
        labels = [pair_labels(one, offsets) for one in label.numpy()]
        return torch.autograd.grad(indexed_loss(features, labels, offsets), features)[0]

    torch.testing.assert_close(ours(), usual(), rtol=1e-3, atol=1e-7)
    seconds = compare(ours, usual, repetitions=3, device=device)
    return [Row("affinity_step", *seconds, "s/batch", "2x", name_of(device))]
