"""How reader processes handle signals, and errors when they pass on an item."""

import os
import signal
import sys
from multiprocessing.queues import Queue
from types import FrameType

# Seconds that a reader continues after a request to stop: the main process needs its last batch.
LINGER = 20


def start_worker(_worker: int = 0) -> None:
    """Leaves the handling of Ctrl-C and SIGTERM, which all processes receive, to the main process.

    This is the `worker_init_fn` of a DataLoader. If a reader ended at once, the main process would
    fail before it has saved its state. If a reader ignored the signals for ever, it could not be
    stopped.
    """
    signal.set_wakeup_fd(-1)  # our signals must not wake the main process
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, _end_soon)
    Queue._on_queue_feeder_error = staticmethod(_end_with_error)  # type: ignore[attr-defined]


def _end_soon(signum: int, frame: FrameType | None) -> None:
    signal.signal(signum, signal.SIG_IGN)  # a second request does not delay the end
    signal.alarm(LINGER)


def _end_with_error(error: Exception, item: object) -> None:
    """Ends a reader that cannot pass on an item; the main process would wait for ever.

    It is called in the thread that feeds the pipe. An exception in this thread would end nothing.
    """
    sys.stderr.write(f"error: a reader process cannot pass on an image: {error}\n")
    sys.stderr.flush()
    os._exit(1)
