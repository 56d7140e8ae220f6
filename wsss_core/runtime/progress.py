"""Progress reports with speed and remaining time: a bar on a terminal, or lines in a log."""

from __future__ import annotations

import sys
from collections.abc import Iterable
from typing import Any

from tqdm import tqdm

LOG_INTERVAL = 10.0  # seconds between two lines if stderr is a file
LOG_FORMAT = "{desc}: {n_fmt}/{total_fmt}, {rate_fmt}, {elapsed} passed, {remaining} left{postfix}"


class LogLines(tqdm):  # type: ignore[type-arg]
    """A tqdm that writes complete lines; a line rewritten in place is unreadable in a log."""

    def display(self, msg: str | None = None, pos: int | None = None) -> None:
        """Writes the state as one line."""
        if msg != "":  # tqdm erases a bar by an empty message
            self.fp.write(f"{msg or self}\n")
            self.fp.flush()

    def clear(self, nolock: bool = False) -> None:  # noqa: FBT001, FBT002 (as in tqdm)
        """Does nothing, since lines in a log cannot be erased."""

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
    """Wraps an iterable so that iterating over it reports progress on stderr.

    Args:
        iterable: The items; None for a bar that is advanced by `.update()`.
        total: Number of steps, if the iterable has no length.
        desc: Description of the work, in a few words.
        initial: Number of steps that an earlier run, which this one continues, has done.
        unit: Name of one step.

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
        delay=1e-9,  # no line before the first step
        smoothing=0.05,
        bar_format=LOG_FORMAT,
    )
