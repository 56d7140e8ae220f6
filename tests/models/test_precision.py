"""Tests of the precision in which networks compute, and of its choice."""

import pytest
import torch

from wsss_core.models.precision import autocast, choose_precision, has_bf16

CPU, GPU = torch.device("cpu"), torch.device("cuda")


@pytest.fixture
def with_units(monkeypatch):
    monkeypatch.setattr(torch.cpu, "get_capabilities", lambda: {"avx512_bf16": True})


@pytest.fixture
def without_units(monkeypatch):
    monkeypatch.setattr(torch.cpu, "get_capabilities", dict)


@pytest.mark.parametrize(
    ("capability", "expected"),
    [((7, 5), False), ((8, 0), True), ((8, 6), True), ((9, 0), True)],  # 2080 Ti, A100, 3090, H100
)
def test_gpus_before_the_a100_would_imitate_bf16(monkeypatch, capability, expected):
    monkeypatch.setattr(torch.cuda, "get_device_capability", lambda _: capability)
    assert has_bf16(GPU) is expected
    assert choose_precision("auto", GPU) == ("bfloat16" if expected else "float32")


@pytest.mark.parametrize(
    ("capabilities", "expected"),
    [
        ({}, False),
        ({"avx512_f": True, "amx_bf16": False}, False),
        ({"avx512_bf16": True}, True),
        ({"amx_bf16": True}, True),
    ],
)
def test_cpus_say_what_they_have(monkeypatch, capabilities, expected):
    monkeypatch.setattr(torch.cpu, "get_capabilities", lambda: capabilities)
    assert has_bf16(CPU) is expected


def test_auto_is_bfloat16_where_there_are_units(with_units):
    assert choose_precision("auto", CPU) == "bfloat16"


def test_what_is_asked_for_is_done_on_every_machine(without_units):
    assert choose_precision("auto", CPU) == "float32"
    assert choose_precision("bfloat16", CPU) == "bfloat16"
    assert choose_precision("float32", CPU) == "float32"


@pytest.mark.parametrize("precision", ["float32", "bfloat16"])
def test_networks_compute_in_what_is_asked_for(precision):
    with autocast(precision, CPU):
        assert (torch.ones(2, 2) @ torch.ones(2, 2)).dtype == getattr(torch, precision)
