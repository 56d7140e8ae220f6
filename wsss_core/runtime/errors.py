"""Errors that a user can correct, and how a command-line program reports them."""

from __future__ import annotations

import gc
import io
import signal
import sys
from collections.abc import Callable, Sequence
from concurrent.futures import BrokenExecutor
from types import FrameType

from pydantic import ValidationError

from wsss_core.runtime.orphans import end_with_run


class UserError(Exception):
    """A mistake in the user's files, config or command, reported in one line.

    The message names the file, key or image, and what was expected.
    """


class MistakesError(UserError):
    """Several mistakes, one line each."""

    def __init__(self, lines: Sequence[str]) -> None:
        super().__init__("\n".join(lines))
        self.lines = tuple(lines)


def name_some(names: Sequence[str], *, limit: int = 5) -> str:
    """Joins the first few names for a message: `a, b, c and 7 more`.

    Args:
        names: The names, in their final order.
        limit: How many names are written in full.
    """
    shown = ", ".join(names[:limit])
    hidden = len(names) - limit
    return f"{shown} and {hidden} more" if hidden > 0 else shown


def validation_message(error: ValidationError) -> str:
    """Lists all problems that pydantic found in one line, each with its full key.

    Args:
        error: The error of pydantic.

    Returns:
        For example `DatasetConfig: demo.size: Input should be a valid integer (got 'big')`.
    """
    problems = []
    for problem in error.errors(include_url=False):
        key = ".".join(str(part) for part in problem["loc"])
        text = " ".join(problem["msg"].split())
        is_leaf = isinstance(problem["input"], (str, int, float, bool, type(None)))
        got = f" (got {problem['input']!r})" if key and is_leaf else ""
        problems.append(f"{key}: {text}{got}" if key else text)
    return f"{error.title}: {'; '.join(problems)}"


def run_command(main: Callable[[], None]) -> None:
    """Runs a program; after a user's mistake, it exits with one line on stderr and status 1.

    SIGTERM becomes an ordinary exit, so that unfinished files are removed when a scheduler stops
    the job. The job also receives SIGTERM when its Snakemake process has ended.

    Args:
        main: The program. Exceptions other than UserError and ValidationError are bugs and keep
            their traceback.
    """
    signal.signal(signal.SIGTERM, _exit_on_signal)
    end_with_run()
    if isinstance(sys.stdout, io.TextIOWrapper):  # for names that the locale cannot print
        sys.stdout.reconfigure(errors="backslashreplace")
    if not gc.isenabled():  # it was off during the imports, whose objects never become garbage
        gc.freeze()
        gc.enable()
    try:
        main()
    except MistakesError as error:
        _fail(*error.lines)
    except UserError as error:
        _fail(_without_reader(str(error)))
    except ValidationError as error:
        _fail(validation_message(error))
    except RuntimeError as error:
        if not _is_killed_process(error):
            raise
        _fail(
            "a process of this job was killed, probably because memory ran out; expected more "
            "memory (mem_mb) or fewer processes (threads). The next run continues from saved state"
        )


def _is_killed_process(error: RuntimeError) -> bool:
    """Tells whether a process pool or torch's DataLoader has lost a process."""
    return isinstance(error, BrokenExecutor) or str(error).startswith("DataLoader worker")


def _without_reader(text: str) -> str:
    """Removes the traceback that torch adds to a UserError raised in a reader process."""
    words = f"{UserError.__module__}.{UserError.__qualname__}: "
    return text.rpartition(words)[2] if text.startswith("Caught ") else text


def _fail(*messages: str) -> None:
    sys.stderr.write("".join(f"error: {' '.join(message.split())}\n" for message in messages))
    sys.exit(1)


def _exit_on_signal(signum: int, frame: FrameType | None) -> None:
    sys.exit(128 + signum)
