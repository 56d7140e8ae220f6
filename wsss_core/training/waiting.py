"""Measures how long a loop waits for its items."""

import time
from collections.abc import Iterable, Iterator
from typing import Generic, TypeVar

Item = TypeVar("Item")


class Waiting(Generic[Item]):
    """Iterates over items and measures the time spent on waiting for the next one."""

    def __init__(self, items: Iterable[Item]) -> None:
        self.items = items
        self._waited = 0.0
        self._start = time.monotonic()

    def __iter__(self) -> Iterator[Item]:
        iterator = iter(self.items)
        self._start = time.monotonic()
        while True:
            asked = time.monotonic()
            try:
                item = next(iterator)
            except StopIteration:
                return
            self._waited += time.monotonic() - asked
            yield item

    def share(self) -> float:
        """Returns the waiting time as a share, in [0, 1], of the time since the first request."""
        passed = time.monotonic() - self._start
        return self._waited / passed if passed > 0 else 0.0
