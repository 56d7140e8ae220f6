"""Handles requests to stop a training."""

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
GRACE = 10.0  # seconds that the current step may still take; schedulers wait for 20 to 30


class Interrupted(SystemExit):
    """Ends the program after a request to stop; the state is saved."""


class StopRequest:
    """Turns SIGTERM and SIGINT into a request to stop after the current step.

    On a CPU, a step may take longer than a scheduler waits, and Python runs no signal handler while
    torch computes. A thread therefore receives the signal at once. If the step does not end in
    time, the thread gives up the step and ends the process.

    Attributes:
        number: The received signal, or 0.
    """

    def __init__(self, give_up: Callable[[], None] | None) -> None:
        """Stores what to do if a step does not end in time.

        Args:
            give_up: Called by the thread before it ends the process. None: the thread always waits
                for the end of the step.
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
        self.watcher.join()  # if the thread has given up the step, it ends the process here
        os.close(self.told)
        os.close(self.teller)


class Agreement:
    """Lets all processes take the same action after a step, if one of them requests it.

    If one process stopped alone, the others would wait for its gradients for ever. The processes
    agree after every step. They use a separate connection between CPUs, which takes a fraction of a
    millisecond. A connection between GPUs would wait for all pending work of the GPUs.
    """

    def __init__(self, world_size: int) -> None:
        self.group: Any = torch.distributed.new_group(backend="gloo") if world_size > 1 else None

    def highest(self, *numbers: int) -> list[int]:
        """Returns, for each number, the maximum over all processes."""
        if self.group is None:
            return list(numbers)
        highest = torch.tensor(numbers)
        torch.distributed.all_reduce(
            highest, op=torch.distributed.ReduceOp.MAX, group=self.group
        )  # in place
        return highest.tolist()


class Pace:
    """Keeps the program at most one step ahead of its GPU.

    Otherwise it could be as many steps ahead as there are between two rows of the history (ten),
    and a request to stop would wait for all of them. With one step in advance, the GPU never waits.
    """

    def __init__(self, device: torch.device) -> None:
        self.on_gpu = device.type == "cuda"
        self.ends: deque[torch.cuda.Event] = deque()

    def step(self) -> None:
        """Marks the end of a step, and waits until the GPU has finished the step before."""
        if not self.on_gpu:
            return
        end = cast(Any, torch.cuda.Event)(blocking=True)  # sleeps while it waits
        end.record()
        self.ends.append(end)
        if len(self.ends) > 1:
            self.ends.popleft().synchronize()
