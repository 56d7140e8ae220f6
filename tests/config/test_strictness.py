"""Tests of every config key with values of wrong types and with implausible values."""

import copy
import math
from collections.abc import Iterator
from typing import Any

import pytest
import yaml

from tests.config import shipped
from wsss_core.config.experiment import load_experiment, with_extended
from wsss_core.methods.kinds import find_kind
from wsss_core.runtime.errors import UserError

PAPER = with_extended(yaml.safe_load(shipped.PAPER.read_text()))
Key = tuple[str | int, ...]

NO_NUMBERS = (True, False, math.inf, -math.inf, math.nan, 10**30, -(10**30), 1e300, 10**400)
NO_TEXTS = ("", "a\x00b", "line\nbreak", "x" * 5000, 7, True, ["a"], {"a": 1})


def leaves(content: Any, key: Key = ()) -> Iterator[tuple[Key, Any]]:
    """All values that are neither maps nor lists, by their keys."""
    items = (
        content.items()
        if isinstance(content, dict)
        else enumerate(content)
        if isinstance(content, list)
        else ()
    )
    for part, value in items:
        yield from leaves(value, (*key, part))
    if not isinstance(content, (dict, list)):
        yield key, content


def changed(key: Key, value: Any) -> dict[str, Any]:
    """The paper's config with another value at a key."""
    config = copy.deepcopy(PAPER)
    place = config
    for part in key[:-1]:
        place = place[part]
    place[key[-1]] = value
    return config


def told(key: Key, value: Any) -> str | None:
    """What is said of a value; None where it is accepted."""
    config = changed(key, value)
    try:
        load_experiment(config)
        if key[0] == "methods":
            method = config["methods"][key[1]]
            method = {name: part for name, part in method.items() if name != "extends"}
            find_kind(method["kind"]).Config.model_validate(method)
    except (UserError, ValueError) as error:
        return str(error)
    return None


NUMBERS = [
    key
    for key, value in leaves(PAPER)
    if isinstance(value, (int, float)) and not isinstance(value, bool)
]
TEXTS = [key for key, value in leaves(PAPER) if isinstance(value, str)]


def test_the_shipped_values_are_accepted():
    assert len(NUMBERS) > 100
    assert told(*next(iter(leaves(PAPER)))) is None


@pytest.mark.parametrize("value", NO_NUMBERS, ids=repr)
def test_no_key_of_a_number_takes_what_is_none(value):
    accepted = [".".join(map(str, key)) for key in NUMBERS if told(key, value) is None]
    assert not accepted


@pytest.mark.parametrize("value", NO_TEXTS, ids=lambda value: repr(value)[:20])
def test_no_key_of_a_text_takes_what_is_none(value):
    accepted = [".".join(map(str, key)) for key in TEXTS if told(key, value) is None]
    # A list of sources is what the archives' keys are for.
    assert not [key for key in accepted if not (key.startswith("archives") and value == ["a"])]


@pytest.mark.parametrize(
    ("key", "value", "text"),
    [
        (("methods", "sb", "loss_weights", "er"), True, "got True; expected a number"),
        (("classifier", "optim", "lr"), 1e30, "too large; expected a number up to 2147483647"),
        (("classifier", "optim", "lr"), math.inf, "expected a finite number"),
        (("segment", "scales"), [1e-9], "expected greater than or equal to 0.05"),
        (("cam", "scales"), [1e5], "expected less than or equal to 16"),
        (("canny",), {"low": 200, "high": 100}, "low is 200 and high 100; expected low <= high"),
        (("methods", "sb", "smoothing", "features"), [0], "greater than or equal to 1"),
        (("methods", "sb", "smoothing", "features"), [-1], "greater than or equal to 1"),
        (("shards", "eval"), 100_000_000, "expected less than or equal to 10000"),
        (("evaluation", "splits"), ["val", "val"], "got ['val', 'val']; expected each split once"),
        (("dataset", "name"), "x" * 300, "a text of at most 100 characters"),
        (("dataset", "folder"), "", "got ''; expected a text of at least 1 character"),
        (("segmenter", "extra_supervision"), "", "expected a text of at least 1 character"),
        (("segmenter", "optim", "weight_decay"), -1, "greater than or equal to 0"),
        (("segment", "crf", "bilateral_sxy"), 1e-9, "greater than or equal to 0.1"),
        (("classifier", "backbone", "name"), "hf-hub:someone/net", "of the pattern"),
        (("segmenter", "backbone", "weights"), "{x}.pt", "expected a path without braces"),
        (("archives", "sbd"), "{x}.tar", "expected a path without braces"),
    ],
)
def test_words(key, value, text):
    assert text in (told(key, value) or "accepted")


@pytest.mark.parametrize("value", ["1e-3", "0.001", 0.001])
def test_a_number_that_yaml_takes_for_a_text_is_a_number(value):
    assert told(("classifier", "optim", "lr"), value) is None
