"""Whether a training goes well: its losses and weights are finite, its measures above a limit."""

import math
from collections.abc import Mapping, Sequence
from typing import NamedTuple

import lightning_fabric
import torch
from torch import Tensor

TOTAL = "loss"  # the weighted sum, among the losses by name
GRADIENT = "the gradient"


class Fault(NamedTuple):
    """What went wrong in a training, and when."""

    steps_ago: int  # 0: in the latest step
    what: str


class LossWatch:
    """Keeps the losses of each step on their device, until it is asked about them."""

    def __init__(self, fabric: lightning_fabric.Fabric, optimizer: torch.optim.Optimizer) -> None:
        self.fabric = fabric
        self.weights = [p for group in optimizer.param_groups for p in group["params"]]
        self.names: list[str] = []
        self.scalars: list[Tensor] = []  # of each step

    def add(self, losses: Mapping[str, Tensor]) -> None:
        """Takes the scalars of one step, of which `TOTAL` is one, while its gradients are there.

        Nothing waits for the device.
        """
        grads = [weight.grad for weight in self.weights if weight.grad is not None]
        scalars = {**losses, GRADIENT: torch.nn.utils.get_total_norm(grads)}
        self.names = list(scalars)
        self.scalars.append(torch.stack([x.detach().float() for x in scalars.values()]))

    def look(self) -> tuple[list[dict[str, float]], Fault | None]:
        """Says how the steps since the last look were. With several processes, all must ask.

        Returns:
            The losses of each step, means over the processes, and the first fault of any of them;
            the same in all.
        """
        own = torch.stack(self.scalars)
        self.scalars = []
        every = self.fabric.all_gather(own).reshape(-1, *own.shape).cpu()
        names = self.names[:-1]  # without GRADIENT
        losses = [dict(zip(names, row[:-1], strict=True)) for row in every.mean(dim=0).tolist()]
        return losses, first_fault(every, self.names)


def mean_losses(losses: Sequence[Mapping[str, float]]) -> dict[str, float]:
    """Mean of each loss over some steps."""
    return {name: sum(row[name] for row in losses) / len(losses) for name in losses[0]}


def first_fault(values: Tensor, names: Sequence[str]) -> Fault | None:
    """Finds the first step with a loss or a gradient that is not finite.

    Args:
        values: [processes, steps, scalars].
        names: Of the scalars.

    Returns:
        The fault names the losses; what follows from them, `TOTAL` and then `GRADIENT`, only where
        they are finite themselves.
    """
    faulty = ~values.isfinite()
    steps = faulty.any(dim=2).any(dim=0).nonzero().flatten().tolist()
    if not steps:
        return None
    first = values[:, steps[0]].sum(dim=0).tolist()  # of several processes: nan or inf remains
    bad = {name: x for name, x in zip(names, first, strict=True) if not math.isfinite(x)}
    for consequence in (GRADIENT, TOTAL):
        if len(bad) > 1:
            bad.pop(consequence, None)
    what = ", ".join(f"{name} is {x}" for name, x in bad.items())
    return Fault(values.shape[1] - 1 - steps[0], what)


class Alarm(NamedTuple):
    """What is said when a measure that a model returns beside its losses falls below a limit."""

    measure: str
    limit: float
    meaning: str

    def message(self, rows: Sequence[Mapping[str, float]]) -> str | None:
        """One line, if the last row of a history is the first one below the limit."""
        *earlier, last = (row[self.measure] for row in rows[-2:])
        if last >= self.limit or any(value < self.limit for value in earlier):
            return None
        return f"{self.measure} is {last:.3g}, below {self.limit:g}: {self.meaning}"
