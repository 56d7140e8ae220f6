"""Applies a function to many items in several processes; the results keep their order."""

from __future__ import annotations

import os
import signal
import threading
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ProcessPoolExecutor
from multiprocessing import connection, get_context, parent_process
from typing import Any, TypeVar

Item = TypeVar("Item")
Result = TypeVar("Result")

# Per process, the number of submitted items ahead of the next result. Enough to keep all processes
# busy, and few enough that results do not fill the memory.
ITEMS_AHEAD = 4


def parallel_map(
    function: Callable[[Item], Result], items: Iterable[Item], *, processes: int
) -> Iterator[Result]:
    """Applies a function to each item, in separate processes.

    Processes are spawned, not forked. A fork would copy the parent's open files and the locks of
    its threads (tqdm has one) in an arbitrary state.

    Args:
        function: A picklable function. It is sent to each process once, and may therefore carry
            large arguments (`functools.partial`).
        items: The items; each is sent to one process.
        processes: Number of processes.

    Yields:
        function(item), in the order of the items.
    """
    pool = ProcessPoolExecutor(
        max_workers=max(1, processes),
        mp_context=get_context("spawn"),
        initializer=_Worker.start,
        initargs=(function,),
    )
    pending: deque[Future[Result]] = deque()
    try:
        for item in items:
            pending.append(pool.submit(_Worker.work, item))
            if len(pending) >= processes * ITEMS_AHEAD:
                yield pending.popleft().result()
        while pending:
            yield pending.popleft().result()
    finally:
        pool.shutdown(cancel_futures=True)


class _Worker:
    """The state that a process keeps between items."""

    function: Callable[[Any], Any]

    @classmethod
    def start(cls, function: Callable[[Any], Any]) -> None:
        signal.signal(signal.SIGINT, signal.SIG_IGN)  # the parent handles Ctrl-C
        threading.Thread(target=_exit_with_parent, daemon=True).start()
        cls.function = staticmethod(function)

    @classmethod
    def work(cls, item: Any) -> Any:
        return cls.function(item)


def _exit_with_parent() -> None:
    """Ends this process when its parent has ended; otherwise a pool's process would stay."""
    parent = parent_process()
    assert parent is not None
    connection.wait([parent.sentinel])
    os._exit(1)
