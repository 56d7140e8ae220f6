"""Where a job computes."""

import sys

import torch


def device(gpus: int) -> torch.device:
    """The first GPU, or the CPU, said loudly, where none is given."""
    if gpus > 0:
        return torch.device("cuda")
    sys.stderr.write("running on the CPU: no GPU was given to this job\n")
    return torch.device("cpu")
