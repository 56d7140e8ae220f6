"""Tests of the system's report on bfloat16 units against that of torch."""

import pytest
import torch

from wsss_core.models.precision import choose_precision, has_bf16
from wsss_core.training.key_precision import cpu_has_bf16, gpus_have_bf16, precision_here


def test_of_this_cpu():
    assert cpu_has_bf16() == has_bf16(torch.device("cpu"))


@pytest.mark.gpu
def test_of_these_gpus():
    devices = [torch.device("cuda", index) for index in range(torch.cuda.device_count())]
    assert gpus_have_bf16() == all(map(has_bf16, devices))


@pytest.mark.parametrize(
    ("flags", "expected"),
    [("avx2 avx512_bf16", True), ("amx_bf16 sse", True), ("avx2 avx512f", False), ("", False)],
)
def test_of_a_cpu_by_its_flags(tmp_path, flags, expected):
    info = tmp_path / "cpuinfo"
    info.write_text(f"model name : A bfloat16\nflags : fpu {flags}\n")
    assert cpu_has_bf16(info) == expected
    assert not cpu_has_bf16(tmp_path / "none")


@pytest.mark.parametrize(
    ("answer", "expected"), [("8.0", True), ("9.0\n8.6", True), ("7.5", False), ("8.0\n7.5", False)]
)
def test_all_gpus_have_to_have_them(tmp_path, monkeypatch, answer, expected):
    program = tmp_path / "nvidia-smi"
    program.write_text(f"#!/bin/sh\necho '{answer}'\n")
    program.chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path), prepend=":")
    assert gpus_have_bf16() == expected
    assert precision_here("auto", gpus=1) == ("bfloat16" if expected else "float32")


def test_auto_is_that_of_torch_on_this_cpu():
    assert precision_here("auto", gpus=0) == choose_precision("auto", torch.device("cpu"))


def test_what_is_asked_for_is_what_it_is():
    assert precision_here("float32", gpus=1) == "float32"
    assert precision_here("bfloat16", gpus=0) == "bfloat16"
