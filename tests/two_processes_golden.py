"""The golden run of a method on two processes.

For test_golden.py, as `python -m tests.two_processes_golden <method>`; both are started alike.
"""

import sys

from tests.test_golden import losses
from tests.two_processes import two_processes
from wsss_core import engine

if __name__ == "__main__":
    engine._fabric = two_processes
    sys.stdout.write(f"{len(losses(sys.argv[1])['loss'])} steps\n")
