"""Batches that several processes have parts of, trained on as if one process had them whole."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple, TypeVar, cast

import torch
import torch.distributed
from torch import Tensor, nn

T = TypeVar("T", list[tuple[int, int]], Tensor)


@dataclass(frozen=True)
class Part:
    """The samples of each batch that one process has: every `world_size`-th, from `rank` on."""

    rank: int
    world_size: int
    batch_size: int  # samples of all processes together

    def of(self, batch: T) -> T:
        """Takes this part of a list, or of the first dimension of a tensor."""
        return batch[self.rank :: self.world_size]

    @property
    def share(self) -> float:
        """How many samples these are, compared with an equal part."""
        own = len(range(self.rank, self.batch_size, self.world_size))
        return own * self.world_size / self.batch_size


class MeanOf(NamedTuple):
    """A loss that is no mean over samples: over labelled pixels, say, of which some have more."""

    mean: Tensor  # scalar, 0 with gradient 0 where there are none
    number: Tensor  # scalar, how many there are in this process's part


Losses = Mapping[str, Tensor | MeanOf]


def losses_of_batch(losses: Losses, part: Part) -> dict[str, Tensor]:
    """Scales a part's losses so that their mean over the processes is the loss of the batch.

    Gradients are averaged over the processes; a mean over few samples or pixels must count less
    there than one over many. Nothing waits for the device: Fabric's own reduction would.

    Args:
        losses: By name, each a mean over the samples of the part unless it says otherwise.
        part: What this process has.

    Returns:
        Scalars by name; of a single process, the same.
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
    """Replaces the layers that would compute something else on a part than on the whole batch.

    These are dropout and, on GPUs, BatchNorms that learn their statistics. On CPUs torch has no
    BatchNorm over several processes, so there each normalises by its own part. Frozen ones, which
    all backbones have here, are the same either way.

    Args:
        model: Changed in place; names and values of its parameters stay.
        part: What this process has of each batch.
        device: Where it is trained.
    """
    for module in list(model.modules()):
        for name, child in module.named_children():
            if isinstance(child, nn.Dropout | nn.Dropout2d):
                channels = isinstance(child, nn.Dropout2d)
                setattr(module, name, PartDropout(child.p, part, channels=channels))
    if device.type == "cuda":
        cast(Any, nn.SyncBatchNorm).convert_sync_batchnorm(model)


class PartDropout(nn.Module):
    """Drops from a sample what is dropped from it where one process has the whole batch.

    Every process draws what is dropped from the whole batch, which takes the same seed in each,
    and uses its part of it.
    """

    def __init__(self, p: float, part: Part, *, channels: bool) -> None:
        super().__init__()
        self.p = p
        self.part = part
        self.channels = channels  # whole ones, as nn.Dropout2d

    def forward(self, x: Tensor) -> Tensor:
        """[B, D, H, W] -> [B, D, H, W], as torch's dropout."""
        if not self.training or self.p == 0:
            return x
        size = (1, 1) if self.channels else x.shape[2:]
        shape = (self.part.batch_size, x.shape[1], *size)
        kept = torch.empty(shape, dtype=x.dtype, device=x.device, memory_format=torch.channels_last)
        return x * self.part.of(kept.bernoulli_(1 - self.p).div_(1 - self.p))
