"""Environment variables that make processes faster; values that the user has set are kept."""

import os

JOB_ENVIRONMENT = {
    # By default, glibc returns each large buffer to the kernel and requests it again, filled with
    # zeros, at the next step. Keeping the buffers makes training on CPUs 1.7 times as fast.
    "MALLOC_MMAP_MAX_": "0",
    "MALLOC_TRIM_THRESHOLD_": str(64 * 2**30),
    "MALLOC_TOP_PAD_": str(256 * 2**20),
    # The threads of a layer wait for each other in a busy loop. With the default length of this
    # loop, a training beside another busy program takes nine times as long. With this value, it
    # takes three times as long.
    "GOMP_SPINCOUNT": "10000",
}


def prepare_environment() -> None:
    """Sets the variables for all processes that this process starts."""
    for name, value in JOB_ENVIRONMENT.items():
        os.environ.setdefault(name, value)
