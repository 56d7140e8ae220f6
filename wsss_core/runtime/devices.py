"""The device on which a job computes."""

import sys

import torch


def device(gpus: int) -> torch.device:
    """Returns the first GPU, or else the CPU with a notice on stderr."""
    if gpus > 0:
        return torch.device("cuda")
    sys.stderr.write("running on the CPU: no GPU was given to this job\n")
    return torch.device("cpu")
