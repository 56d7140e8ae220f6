"""How a training is asked to stop, and when it does."""

from __future__ import annotations

import os
import signal
import threading
from collections import deque
from collections.abc import Callable
from types import FrameType
from typing import Any, cast

import torch
import torch.distributed

STOP_SIGNALS = (signal.SIGTERM, signal.SIGINT)
GRACE = 10.0  # seconds that a step may still take; schedulers wait for 20 to 30


class Interrupted(SystemExit):
    """Training was asked to stop; its state is saved."""


class StopRequest:
    """Turns SIGTERM and SIGINT into a request that the loop honours after the current step.

    A step may take longer than a scheduler waits, on CPUs; and Python runs no handler of signals
    while torch computes. So a thread that is told of them at once gives up on the step, if it does
    not end in time.

    Attributes:
        number: The signal that came, or 0.
    """

    def __init__(self, give_up: Callable[[], None] | None) -> None:
        """Gets ready.

        Args:
            give_up: Called from a thread, before it ends the process; None: the step is waited for.
        """
        self.number = 0
        self.give_up = give_up
        self.over = threading.Event()

    def __enter__(self) -> StopRequest:
        self.told, self.teller = os.pipe()
        os.set_blocking(self.teller, False)
        self.previous_teller = signal.set_wakeup_fd(self.teller)
        self.previous = {number: signal.signal(number, self._handle) for number in STOP_SIGNALS}
        self.watcher = threading.Thread(target=self._watch)
        self.watcher.start()
        return self

    def _handle(self, number: int, _frame: FrameType | None) -> None:
        self.number = number

    def _watch(self) -> None:
        number = 0
        while number not in STOP_SIGNALS and not self.over.is_set():
            number = os.read(self.told, 1)[0]
        if self.give_up is not None and not self.over.wait(GRACE):
            self.give_up()
            os._exit(128 + number)

    def __exit__(self, *_: object) -> None:
        for number, handler in self.previous.items():
            signal.signal(number, handler)
        signal.set_wakeup_fd(self.previous_teller)
        self.over.set()
        os.write(self.teller, bytes(1))
        self.watcher.join()  # which ends the process, if it has given up
        os.close(self.told)
        os.close(self.teller)


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
