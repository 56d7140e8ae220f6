"""Assigns samples to training steps, and loads them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Protocol

import numpy as np
import torch
from torch import Tensor
from torch.utils.data import DataLoader, Dataset, default_collate

from wsss_core.ops.present import present_pairs
from wsss_core.runtime.errors import UserError
from wsss_core.runtime.readers import reader_options
from wsss_core.training.distributed import Part

Batch = dict[str, Tensor]


class Samples(Protocol):
    """Training samples by index, augmented with the given random generator."""

    @property
    def image_ids(self) -> Sequence[str]:
        """Image id of each sample."""
        ...

    def __len__(self) -> int: ...

    def sample(self, index: int, rng: np.random.Generator) -> Batch:
        """Returns the tensors of one sample by name; all samples have the same shapes."""
        ...


class Schedule:
    """Assigns samples to steps, independently of the number of processes."""

    def __init__(self, num_samples: int, batch_size: int, epochs: int, seed: int) -> None:
        self.num_samples = num_samples
        self.batch_size = min(batch_size, num_samples)
        self.steps_per_epoch = num_samples // self.batch_size
        self.steps = epochs * self.steps_per_epoch
        self.seed = seed

    def part(self, rank: int, world_size: int) -> Part:
        """Returns the part of each batch that one of several processes has.

        Raises:
            UserError: A process would have no sample.
        """
        if self.batch_size < world_size:
            raise UserError(
                f"batch_size is {self.batch_size}; expected at least {world_size}, one per GPU"
            )
        return Part(rank, world_size, self.batch_size)

    def batch(self, step: int) -> list[tuple[int, int]]:
        """Returns the (epoch, index) pairs of one step."""
        return next(self.batches(step))

    def batches(self, start: int) -> Iterator[list[tuple[int, int]]]:
        """Yields the (epoch, index) pairs of each step from `start` on; drops partial batches."""
        for epoch in range(start // self.steps_per_epoch, self.steps // self.steps_per_epoch):
            order = np.random.default_rng((self.seed, epoch)).permutation(self.num_samples)
            first = max(0, start - epoch * self.steps_per_epoch)
            for step in range(first, self.steps_per_epoch):
                chosen = order[step * self.batch_size : (step + 1) * self.batch_size]
                yield [(epoch, int(index)) for index in chosen]


def collate(samples: Sequence[Batch]) -> Batch:
    """Stacks samples; adds `present` if they have image-level labels [K].

    Returns:
        Tensors [B, ...] by name. `present`, int64 [N, 2], lists the present classes
        (`ops/present.py`).
    """
    batch: Batch = default_collate(list(samples))
    label = batch.get("label")
    if label is not None and label.dim() == 2:
        batch["present"] = present_pairs(label)
    return batch


class _SeededSamples(Dataset[Batch]):
    """Gives each sample a random generator seeded by (seed, epoch, index)."""

    def __init__(self, samples: Samples, seed: int) -> None:
        self.samples = samples
        self.seed = seed

    def __getitem__(self, key: tuple[int, int]) -> Batch:
        epoch, index = key
        return self.samples.sample(index, np.random.default_rng((self.seed, epoch, index)))


def load_batches(
    samples: Samples,
    schedule: Schedule,
    start: int,
    *,
    part: Part,
    device: torch.device,
    threads: int,
) -> DataLoader[Batch]:
    """Loads the batches from step `start` on, or this process's part of each batch."""
    batches: Sequence[list[tuple[int, int]]] = [part.of(b) for b in schedule.batches(start)]
    on_gpu = device.type == "cuda"
    return DataLoader(
        _SeededSamples(samples, schedule.seed),
        batch_sampler=batches,
        collate_fn=collate,
        pin_memory=on_gpu,
        **reader_options(max(1, threads - 1) if on_gpu else 1, ahead=4),
    )
