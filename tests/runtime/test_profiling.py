"""Tests of profiler traces of a few items."""

import json
from concurrent.futures import ThreadPoolExecutor

import torch

from wsss_core.runtime.profiling import SKIPPED, TRACED, WARMED_UP, profiled


def test_without_a_path_nothing_is_traced():
    assert list(profiled(range(3), None)) == [0, 1, 2]


def test_the_trace_has_the_work_on_some_items(tmp_path):
    path = tmp_path / "trace.json"
    number = SKIPPED + WARMED_UP + TRACED + 5
    for _ in profiled(range(number), path):
        torch.ones(4, 4) @ torch.ones(4, 4)
    events = json.loads(path.read_text())["traceEvents"]
    assert sum(event["name"] == "aten::matmul" for event in events) == TRACED


def test_the_trace_has_the_work_of_other_threads(tmp_path):
    """On a CPU, inference computes images in threads of its own."""
    path = tmp_path / "trace.json"
    number = SKIPPED + WARMED_UP + TRACED + 5
    with ThreadPoolExecutor(1) as pool:
        for _ in profiled(range(number), path):
            pool.submit(torch.matmul, torch.ones(4, 4), torch.ones(4, 4)).result()
    events = json.loads(path.read_text())["traceEvents"]
    assert sum(event["name"] == "aten::matmul" for event in events) == TRACED


def test_a_few_items_are_traced_as_far_as_they_go(tmp_path):
    path = tmp_path / "trace.json"
    for _ in profiled(range(SKIPPED + WARMED_UP + 2), path):
        torch.ones(4, 4) @ torch.ones(4, 4)
    names = [event["name"] for event in json.loads(path.read_text())["traceEvents"]]
    assert names.count("aten::matmul") >= 2
