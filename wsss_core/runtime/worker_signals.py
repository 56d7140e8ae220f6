"""How processes that only read for another one meet signals, and what they cannot hand over."""

import os
import signal
import sys
from multiprocessing.queues import Queue
from types import FrameType

# Seconds that a reader outlives a request to stop: the main process still wants its last batch.
LINGER = 20


def start_worker(_worker: int = 0) -> None:
    """Leaves Ctrl-C and a scheduler's SIGTERM, which reach all processes, to the main process.

    For `worker_init_fn` of a DataLoader. A reader that died with them would take the main process
    with it before that has saved its state; one that ignored them for ever could not be ended.
    """
    signal.set_wakeup_fd(-1)  # the main process need not be told of ours
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, _end_soon)
    Queue._on_queue_feeder_error = staticmethod(_end_with_error)  # type: ignore[attr-defined]


def _end_soon(signum: int, frame: FrameType | None) -> None:
    signal.signal(signum, signal.SIG_IGN)  # another request does not put it off
    signal.alarm(LINGER)


def _end_with_error(error: Exception, item: object) -> None:
    """Ends a reader that cannot hand over what it has read: the main process would wait for ever.

    It is called in the thread that feeds the pipe, whose exceptions end nothing.
    """
    sys.stderr.write(f"error: a reader cannot hand over an image: {error}\n")
    sys.stderr.flush()
    os._exit(1)
