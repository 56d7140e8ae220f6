"""Environment variables that processes compute faster with, where the user has not set them."""

import os

JOB_ENVIRONMENT = {
    # By default glibc gives each large buffer back to the kernel and asks for it again, zeroed, at
    # the next step. Keeping them makes training on CPUs 1.7 times as fast.
    "MALLOC_MMAP_MAX_": "0",
    "MALLOC_TRIM_THRESHOLD_": str(64 * 2**30),
    "MALLOC_TOP_PAD_": str(256 * 2**20),
    # Threads of a layer wait for each other in a loop, by default for so long that beside another
    # busy program a training takes nine times as long; so, three times.
    "GOMP_SPINCOUNT": "10000",
}


def prepare_environment() -> None:
    """Sets them for processes that are started from here."""
    for name, value in JOB_ENVIRONMENT.items():
        os.environ.setdefault(name, value)
