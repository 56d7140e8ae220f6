"""How long a loop waits for what it goes through."""

import time
from collections.abc import Iterable, Iterator
from typing import Generic, TypeVar

Item = TypeVar("Item")


class Waiting(Generic[Item]):
    """Goes through items, and keeps the time in which the next one was not there yet."""

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
        """The share of the time since the first item was asked for, in [0, 1]."""
        passed = time.monotonic() - self._start
        return self._waited / passed if passed > 0 else 0.0
