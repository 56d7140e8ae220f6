"""Checks that losses and gradients are finite and that measures stay above a limit."""

import math
from collections.abc import Mapping, Sequence
from typing import NamedTuple

import lightning_fabric
import torch
from torch import Tensor

TOTAL = "loss"  # name of the weighted sum of the losses
GRADIENT = "the gradient"


class Fault(NamedTuple):
    """A loss or gradient that is not finite, and its step."""

    steps_ago: int  # 0 means the latest step
    what: str


class LossWatch:
    """Keeps the losses of each step on their device until they are requested."""

    def __init__(self, fabric: lightning_fabric.Fabric, optimizer: torch.optim.Optimizer) -> None:
        self.fabric = fabric
        self.weights = [p for group in optimizer.param_groups for p in group["params"]]
        self.names: list[str] = []
        self.scalars: list[Tensor] = []  # one tensor per step

    def add(self, losses: Mapping[str, Tensor]) -> None:
        """Stores the losses of one step, including `TOTAL`, and the norm of its gradients.

        It must be called before the gradients are reset. It does not wait for the device.
        """
        grads = [weight.grad for weight in self.weights if weight.grad is not None]
        scalars = {**losses, GRADIENT: torch.nn.utils.get_total_norm(grads)}
        self.names = list(scalars)
        self.scalars.append(torch.stack([x.detach().float() for x in scalars.values()]))

    def look(self) -> tuple[list[dict[str, float]], Fault | None]:
        """Returns the losses since the last call; with several processes, all must call it.

        Returns:
            The losses of each step, averaged over the processes, and the first fault of any
            process. All processes get the same values.
        """
        own = torch.stack(self.scalars)
        self.scalars = []
        every = self.fabric.all_gather(own).reshape(-1, *own.shape).cpu()
        names = self.names[:-1]  # without GRADIENT
        losses = [dict(zip(names, row[:-1], strict=True)) for row in every.mean(dim=0).tolist()]
        return losses, first_fault(every, self.names)


def mean_losses(losses: Sequence[Mapping[str, float]]) -> dict[str, float]:
    """Averages each loss over some steps."""
    return {name: sum(row[name] for row in losses) / len(losses) for name in losses[0]}


def first_fault(values: Tensor, names: Sequence[str]) -> Fault | None:
    """Finds the first step with a loss or a gradient that is not finite.

    Args:
        values: [processes, steps, scalars].
        names: Names of the scalars.

    Returns:
        The fault with the names of the losses that are not finite, or None. `TOTAL` and `GRADIENT`
        follow from the losses; they are named only if all losses are finite.
    """
    faulty = ~values.isfinite()
    steps = faulty.any(dim=2).any(dim=0).nonzero().flatten().tolist()
    if not steps:
        return None
    first = values[:, steps[0]].sum(dim=0).tolist()  # sum over processes: nan or inf remains
    bad = {name: x for name, x in zip(names, first, strict=True) if not math.isfinite(x)}
    for consequence in (GRADIENT, TOTAL):
        if len(bad) > 1:
            bad.pop(consequence, None)
    what = ", ".join(f"{name} is {x}" for name, x in bad.items())
    return Fault(values.shape[1] - 1 - steps[0], what)


class Alarm(NamedTuple):
    """A warning for a measure, returned beside the losses, that falls below a limit."""

    measure: str
    limit: float
    meaning: str

    def message(self, rows: Sequence[Mapping[str, float]]) -> str | None:
        """Returns the warning if the last row of a history is the first one below the limit."""
        *earlier, last = (row[self.measure] for row in rows[-2:])
        if last >= self.limit or any(value < self.limit for value in earlier):
            return None
        return f"{self.measure} is {last:.3g}, below {self.limit:g}: {self.meaning}"
