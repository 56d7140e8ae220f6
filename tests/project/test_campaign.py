"""Tests with thousands of bad inputs: none is accepted silently, none ends in a traceback.

docs/trust.md gives the numbers. The fast tests of each kind check the messages.
"""

import sys
from collections import Counter

import pytest

from tests.config.test_strictness import NO_NUMBERS, NO_TEXTS, NUMBERS, TEXTS, told
from tests.project.campaign import trials
from tests.runtime.small_disk import small_disk
from wsss_core.runtime.errors import UserError

pytestmark = pytest.mark.slow


def count(kind, stream):
    """How many inputs there were of each outcome; BAD ones are listed."""
    outcomes = [(trial.name, trials.outcome(trial)) for trial in stream]
    bad = [f"{name}: {text}" for name, text in outcomes if text.startswith("BAD")]
    counts = Counter(text.partition(":")[0] for _, text in outcomes)
    sys.stdout.write(f"{kind}: {len(outcomes)} inputs, {dict(counts)}\n")
    assert not bad, "\n".join(bad[:20])
    return len(outcomes)


def config_trials():
    def refused(key, value):
        words = told(key, value)
        if words is not None:
            raise UserError(words)
        return key[0] == "archives" and value == ["a"]  # a list of sources

    values = [(key, value) for key in NUMBERS for value in (*NO_NUMBERS, "", "x", None, [], {})]
    values += [(key, value) for key in TEXTS for value in NO_TEXTS]
    for key, value in values:
        if value is not None or told(key, value) is not None:
            name = f"{'.'.join(map(str, key))}: {repr(value)[:30]}"
            yield trials.Trial(name, lambda key=key, value=value: refused(key, value))


def test_config_values():
    assert count("config", config_trials()) >= 1500


def test_pictures(tmp_path):
    assert count("pictures", trials.pictures(tmp_path, 2000)) >= 2000


def test_folders(tmp_path, tiny_dataset):
    assert count("folders", trials.folders(tmp_path, tiny_dataset, 150)) >= 150


def test_archives(tmp_path):
    assert count("archives", trials.archives(tmp_path, 40)) >= 40


def test_weights(tmp_path):
    assert count("weights", trials.weights(tmp_path, 150)) >= 150


def test_results(tmp_path, tiny_dataset):
    assert count("results", trials.results(tmp_path, tiny_dataset, 160)) >= 150


def test_full_disks(tmp_path, tiny_dataset):
    with small_disk(tmp_path / "disk", "size=4k") as remount:
        stream = trials.full_disks(tmp_path / "disk", tiny_dataset, remount, 12)
        assert count("full disks", stream) >= 60
