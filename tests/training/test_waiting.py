"""Tests of the measured waiting time of a loop."""

import time

import pytest

from wsss_core.training import waiting
from wsss_core.training.waiting import Waiting


@pytest.fixture
def clock(monkeypatch):
    class Clock:
        now = 100.0

    monkeypatch.setattr(waiting.time, "monotonic", lambda: Clock.now)
    return Clock


def test_only_the_time_between_asking_and_getting_counts(clock):
    def slowly():
        for item in range(4):
            clock.now += 1.0
            yield item

    items = Waiting(slowly())
    assert items.share() == 0.0
    for _ in items:
        clock.now += 3.0
    assert items.share() == pytest.approx(4 / 16)


def test_items_come_unchanged_and_a_second_time():
    items = Waiting([1, 2, 3])
    assert list(items) == list(items) == [1, 2, 3]
    time.sleep(0.01)
    assert items.share() < 0.5
