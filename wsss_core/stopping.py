"""How a training is asked to stop, and when it does."""

from __future__ import annotations

import signal
from collections import deque
from types import FrameType
from typing import Any, cast

import torch
import torch.distributed


class Interrupted(SystemExit):
    """Training was asked to stop; its state is saved."""


class StopRequest:
    """Turns SIGTERM and SIGINT into a request that the loop honours after the current step.

    Attributes:
        number: The signal that came, or 0.
    """

    def __init__(self) -> None:
        self.number = 0

    def __enter__(self) -> StopRequest:
        self.previous = {
            number: signal.signal(number, self._handle)
            for number in (signal.SIGTERM, signal.SIGINT)
        }
        return self

    def _handle(self, number: int, _frame: FrameType | None) -> None:
        self.number = number

    def __exit__(self, *_: object) -> None:
        for number, handler in self.previous.items():
            signal.signal(number, handler)


class Agreement:
    """What all processes do after a step, which any of them may ask for.

    A process that stopped alone would leave the others waiting for its gradients for ever. They
    agree after every step, by a connection of their own between CPUs, which takes a fraction of a
    millisecond: one by the GPUs' would wait for all that these have still to do.
    """

    def __init__(self, world_size: int) -> None:
        self.group: Any = torch.distributed.new_group(backend="gloo") if world_size > 1 else None

    def highest(self, *numbers: int) -> list[int]:
        """Of each number, the highest that any process passes; the same in all of them."""
        if self.group is None:
            return list(numbers)
        highest = torch.tensor(numbers)
        torch.distributed.all_reduce(
            highest, op=torch.distributed.ReduceOp.MAX, group=self.group
        )  # in place
        return highest.tolist()


class Pace:
    """Keeps the program at most one step ahead of its GPU.

    It would be ten, the steps between two rows of the history, and a request to stop would wait
    for them all. With one step in store the GPU never waits.
    """

    def __init__(self, device: torch.device) -> None:
        self.on_gpu = device.type == "cuda"
        self.ends: deque[torch.cuda.Event] = deque()

    def step(self) -> None:
        """Ends a step: waits until the GPU has done the one before it."""
        if not self.on_gpu:
            return
        end = cast(Any, torch.cuda.Event)(blocking=True)  # sleeps while it waits
        end.record()
        self.ends.append(end)
        if len(self.ends) > 1:
            self.ends.popleft().synchronize()
