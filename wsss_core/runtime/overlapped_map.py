"""Applies a network to images, on a CPU to two at a time."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from typing import TypeVar

import torch

Item = TypeVar("Item")
Result = TypeVar("Result")

# Images in work at the same time on a CPU. While one waits for Python or for a layer that uses few
# cores, the other one computes. Each image needs memory of its own.
AT_ONCE = 2


def overlapped_map(
    function: Callable[[Item], Result], items: Iterable[Item], device: torch.device
) -> Iterator[Result]:
    """Applies a function to each item; the results keep their order.

    On a CPU with several threads, half of the threads compute one item and half of them another.

    Args:
        function: Computes on `device`. It must not change what it shares with other calls.
        items: The items, such as images.
        device: The device of the network.

    Yields:
        function(item), in the order of the items.
    """
    threads = torch.get_num_threads()
    if device.type != "cpu" or threads < AT_ONCE:
        yield from map(function, items)
        return
    torch.set_num_threads(threads // AT_ONCE)
    pool = ThreadPoolExecutor(AT_ONCE)
    pending: deque[Future[Result]] = deque()
    try:
        for item in items:
            pending.append(pool.submit(function, item))
            if len(pending) > AT_ONCE:
                yield pending.popleft().result()
        while pending:
            yield pending.popleft().result()
    finally:
        pool.shutdown(cancel_futures=True)
        torch.set_num_threads(threads)
