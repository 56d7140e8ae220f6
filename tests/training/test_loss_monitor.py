"""Tests of the checks during a training."""

import math

import pytest
import torch

from wsss_core.training.loss_monitor import Alarm, Fault, first_fault

NAMES = ["loss", "er", "ecr", "the gradient"]


def values(*bad):
    """Losses of 2 processes and 4 steps, ones but for (process, step, loss, value)."""
    result = torch.ones(2, 4, len(NAMES))
    for process, step, loss, value in bad:
        result[process, step, NAMES.index(loss)] = value
    return result


@pytest.mark.parametrize(
    ("bad", "fault"),
    [
        ([], None),
        ([(0, 3, "er", math.nan)], Fault(0, "er is nan")),
        ([(1, 0, "er", math.inf)], Fault(3, "er is inf")),
        ([(0, 2, "er", math.nan), (1, 1, "ecr", -math.inf)], Fault(2, "ecr is -inf")),
        ([(0, 1, "loss", math.nan), (0, 1, "er", math.nan)], Fault(2, "er is nan")),
        ([(0, 1, "er", math.nan), (0, 1, "ecr", math.inf)], Fault(2, "er is nan, ecr is inf")),
        ([(1, 1, "loss", math.inf)], Fault(2, "loss is inf")),
        ([(0, 2, "the gradient", math.nan)], Fault(1, "the gradient is nan")),
        (
            [(0, 1, "er", math.nan), (0, 1, "loss", math.nan), (1, 1, "the gradient", math.nan)],
            Fault(2, "er is nan"),
        ),
        ([(0, 1, "loss", math.inf), (0, 1, "the gradient", math.nan)], Fault(2, "loss is inf")),
    ],
)
def test_the_first_step_that_is_not_finite_is_found_and_what_is_not(bad, fault):
    assert first_fault(values(*bad), NAMES) == fault


def test_an_alarm_sounds_when_a_measure_falls_below_its_limit():
    alarm = Alarm("score", 0.1, "all is lost")
    rows = [{"score": score} for score in (0.05, 0.04, 0.1, 0.0999, 0.2)]
    message = "score is 0.05, below 0.1: all is lost"
    assert [alarm.message(rows[:end]) for end in range(1, 6)] == [
        message,
        None,
        None,
        message.replace("0.05", "0.0999"),
        None,
    ]
