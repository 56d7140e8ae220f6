"""Data-parallel training with the same result as one process with the whole batch."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple, TypeVar, cast

import torch
import torch.distributed
from torch import Tensor, nn

T = TypeVar("T", list[tuple[int, int]], Tensor)


@dataclass(frozen=True)
class Part:
    """One process's samples of each batch: every `world_size`-th, starting with number `rank`."""

    rank: int
    world_size: int
    batch_size: int  # number of samples in all processes together

    def of(self, batch: T) -> T:
        """Selects this part of a list, or of a tensor along its first dimension."""
        return batch[self.rank :: self.world_size]

    @property
    def share(self) -> float:
        """The number of samples in this part, divided by the average number."""
        own = len(range(self.rank, self.batch_size, self.world_size))
        return own * self.world_size / self.batch_size


class MeanOf(NamedTuple):
    """A loss that is a mean over other items than samples, for example over labelled pixels."""

    mean: Tensor  # scalar; 0 with gradient 0 if there are no items
    number: Tensor  # scalar, the number of items in this process's part


Losses = Mapping[str, Tensor | MeanOf]


def losses_of_batch(losses: Losses, part: Part) -> dict[str, Tensor]:
    """Scales the losses of a part so that their mean over the processes is the loss of the batch.

    Gradients are averaged over the processes. A mean over few samples or pixels must therefore
    count less than a mean over many. Unlike Fabric's own reduction, this does not wait for the
    device.

    Args:
        losses: Losses by name: means over the samples of the part, or `MeanOf`.
        part: The samples of this process.

    Returns:
        Scalars by name; for a single process, the unchanged means.
    """
    means = {name: x.mean if isinstance(x, MeanOf) else x for name, x in losses.items()}
    if part.world_size == 1:
        return means
    shares: dict[str, Tensor | float] = dict.fromkeys(losses, part.share)
    numbers = {name: x.number.float() for name, x in losses.items() if isinstance(x, MeanOf)}
    if numbers:
        own = torch.stack(list(numbers.values()))
        total = own.clone()
        torch.distributed.all_reduce(total)  # in place
        counted = torch.where(total > 0, own * part.world_size / total, 1.0)
        shares |= zip(numbers, counted.unbind(), strict=True)
    return {name: mean * shares[name] for name, mean in means.items()}


def train_as_one(model: nn.Module, part: Part, device: torch.device) -> None:
    """Replaces the layers whose result on a part differs from that on the whole batch.

    These are dropout and, on GPUs, BatchNorms in training mode. On CPUs, torch has no BatchNorm
    over several processes, so that each process normalises by the statistics of its own part.
    Frozen BatchNorms, as in all backbones here, give the same result in both cases.

    Args:
        model: The model, changed in place; names and values of its parameters stay the same.
        part: The samples of this process.
        device: The device of the training.
    """
    for module in list(model.modules()):
        for name, child in module.named_children():
            if isinstance(child, nn.Dropout | nn.Dropout2d):
                channels = isinstance(child, nn.Dropout2d)
                setattr(module, name, PartDropout(child.p, part, channels=channels))
    if device.type == "cuda":
        cast(Any, nn.SyncBatchNorm).convert_sync_batchnorm(model)


class PartDropout(nn.Module):
    """Dropout that gives each sample the same mask as in a single process with the whole batch.

    Each process draws the mask of the whole batch and uses its own part of it. All processes must
    have the same random seed.
    """

    def __init__(self, p: float, part: Part, *, channels: bool) -> None:
        super().__init__()
        self.p = p
        self.part = part
        self.channels = channels  # whether to drop whole channels, as nn.Dropout2d does

    def forward(self, x: Tensor) -> Tensor:
        """Applies dropout like torch: [B, D, H, W] -> [B, D, H, W]."""
        if not self.training or self.p == 0:
            return x
        size = (1, 1) if self.channels else x.shape[2:]
        shape = (self.part.batch_size, x.shape[1], *size)
        kept = torch.empty(shape, dtype=x.dtype, device=x.device, memory_format=torch.channels_last)
        return x * self.part.of(kept.bernoulli_(1 - self.p).div_(1 - self.p))
