"""Tests of the choice of the device on which a job computes."""

import torch

from wsss_core.runtime.devices import device


def test_no_gpu_is_said_loudly(capsys):
    assert device(0) == torch.device("cpu")
    assert "running on the CPU" in capsys.readouterr().err
    assert device(1) == torch.device("cuda")
