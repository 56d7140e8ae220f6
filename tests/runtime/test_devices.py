"""Where a job computes, and in what precision."""

import pytest
import torch

from wsss_core.runtime.devices import device, has_bf16


def test_no_gpu_is_said_loudly(capsys):
    assert device(0) == torch.device("cpu")
    assert "running on the CPU" in capsys.readouterr().err
    assert device(1) == torch.device("cuda")


@pytest.mark.parametrize(
    ("capability", "expected"),
    [((7, 5), False), ((8, 0), True), ((8, 6), True), ((9, 0), True)],  # 2080 Ti, A100, 3090, H100
)
def test_gpus_before_the_a100_would_imitate_bf16(monkeypatch, capability, expected):
    monkeypatch.setattr(torch.cuda, "get_device_capability", lambda _: capability)
    assert has_bf16(torch.device("cuda")) is expected


@pytest.mark.parametrize(
    ("capabilities", "expected"),
    [({}, False), ({"amx_bf16": False}, False), ({"avx512_bf16": True}, True)],
)
def test_cpus_say_what_they_have(monkeypatch, capabilities, expected):
    monkeypatch.setattr(torch.cpu, "get_capabilities", lambda: capabilities)
    assert has_bf16(torch.device("cpu")) is expected
