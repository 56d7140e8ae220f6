"""Progress with speed and time left: a bar on a terminal, now and then a line in a log."""

from __future__ import annotations

import sys
from collections.abc import Iterable
from typing import Any

from tqdm import tqdm

LOG_INTERVAL = 10.0  # seconds between two lines where stderr is a file
LOG_FORMAT = "{desc}: {n_fmt}/{total_fmt}, {rate_fmt}, {elapsed} passed, {remaining} left{postfix}"


class LogLines(tqdm):  # type: ignore[type-arg]
    """A tqdm that writes whole lines: rewriting one line in place is unreadable in a log."""

    def display(self, msg: str | None = None, pos: int | None = None) -> None:
        """Writes the state as one line."""
        if msg != "":  # tqdm wipes a bar out by drawing nothing over it
            self.fp.write(f"{msg or self}\n")
            self.fp.flush()

    def clear(self, nolock: bool = False) -> None:  # noqa: FBT001, FBT002 (as in tqdm)
        """Does nothing: what is in the log stays there."""

    def close(self) -> None:
        """Writes the last line, once."""
        if not getattr(self, "disable", True):
            self.display()
        self.leave = False
        super().close()


def progress(
    iterable: Iterable[Any] | None,
    *,
    total: int | None = None,
    desc: str,
    initial: int = 0,
    unit: str = "image",
) -> tqdm[Any]:
    """Wraps an iterable so that going through it reports progress on stderr.

    Args:
        iterable: What to go through; None for a bar that is moved by `.update()`.
        total: Number of steps, where the iterable has no length.
        desc: What is being done, in a few words.
        initial: Number of steps done before, by a run that this one continues.
        unit: What is counted.

    Returns:
        A tqdm object: iterate over it, or use it as a context manager.
    """
    if sys.stderr.isatty():
        return tqdm(iterable, total=total, desc=desc, initial=initial, unit=unit, smoothing=0.05)
    return LogLines(
        iterable,
        total=total,
        desc=desc,
        initial=initial,
        unit=unit,
        mininterval=LOG_INTERVAL,
        miniters=1,
        delay=1e-9,  # no line for zero steps done
        smoothing=0.05,
        bar_format=LOG_FORMAT,
    )
