"""Tests of the table of benchmarks."""

import csv
import importlib.util
from pathlib import Path

import pytest

from benchmarks.__main__ import ON_CPU, ON_GPU
from benchmarks.rows import COLUMNS, Row, markdown, write_rows

PROJECT = Path(__file__).parents[2]
MEASURED = PROJECT / "docs/results/bench.csv"


def row(name="walk", ours=2.0, usual=100.0, target="50x"):
    return Row(name, ours, usual, "ms", target, "a CPU")


@pytest.mark.parametrize(
    ("ours", "usual", "target", "is_met"),
    [
        (2.0, 100.0, "50x", True),
        (2.1, 100.0, "50x", False),
        (14.0, None, "<= 15", True),
        (16.0, None, "<= 15", False),
        (0.8, None, ">= 0.75", True),
        (0.7, None, ">= 0.75", False),
        (1.0, None, "2x", False),
    ],
)
def test_a_target_is_a_ratio_or_a_bound(ours, usual, target, is_met):
    assert row(ours=ours, usual=usual, target=target).is_met is is_met


def test_a_row_as_text():
    assert row().cells() == ["walk", "2", "100", "ms", "50", "50x", "a CPU"]
    assert row(usual=None).cells()[2:5] == ["", "ms", ""]


def test_rows_measured_again_replace_the_old_ones(tmp_path):
    path = tmp_path / "results" / "bench.csv"
    write_rows(path, [row("a"), row("b")])
    write_rows(path, [row("a", ours=1.0)])
    with path.open() as file:
        table = list(csv.DictReader(file))
    assert tuple(table[0]) == COLUMNS
    assert [(r["name"], r["ours"], r["ratio"]) for r in table] == [
        ("b", "2", "50"),
        ("a", "1", "100"),
    ]


@pytest.mark.parametrize("name", [*ON_CPU, *ON_GPU])
def test_each_name_is_a_module(name):
    assert importlib.util.find_spec(f"benchmarks.{name}") is not None


def test_the_document_has_the_table_that_was_measured():
    assert markdown(MEASURED) in (PROJECT / "docs/performance.md").read_text()
