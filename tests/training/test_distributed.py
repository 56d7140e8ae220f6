"""Tests of the losses of a batch that is divided among several processes."""

import functools
import json
import os
import subprocess
import sys
from itertools import chain
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn

from tests.training.loss_curves import CASES, STEPS, curve
from tests.training.two_processes import DEVICES
from wsss_core.runtime.errors import UserError
from wsss_core.training.batches import Schedule, load_batches
from wsss_core.training.distributed import MeanOf, Part, losses_of_batch, train_as_one

CPU = torch.device("cpu")
PROJECT = Path(__file__).parents[2]


@given(batch_size=st.integers(1, 30), data=st.data())
@settings(max_examples=60)
def test_shares_make_the_mean_over_processes_the_mean_over_samples(batch_size, data):
    world_size = data.draw(st.integers(1, batch_size))
    parts = [Part(rank, world_size, batch_size) for rank in range(world_size)]
    assert np.mean([part.share for part in parts]) == pytest.approx(1)
    losses = torch.from_numpy(np.random.default_rng(0).random(batch_size))
    means = [part.share * part.of(losses).mean() for part in parts]
    assert np.mean(means) == pytest.approx(losses.mean())


def test_shares_of_five_samples_on_two_devices_by_hand():
    assert [Part(rank, 2, 5).share for rank in (0, 1)] == [6 / 5, 4 / 5]
    assert Part(0, 1, 5).share == 1


def test_devices_read_each_batch_between_them():
    schedule = Schedule(13, 5, 2, 0)
    parts = [
        list(load_batches([], schedule, 1, part=part, device=CPU, threads=1).batch_sampler)
        for part in (schedule.part(rank, 3) for rank in range(3))
    ]
    together = [sorted(chain(*step)) for step in zip(*parts, strict=True)]
    assert together == [sorted(batch) for batch in schedule.batches(1)]
    assert [[len(batch) for batch in part] for part in parts] == [[2] * 3, [2] * 3, [1] * 3]


def test_a_batch_smaller_than_the_number_of_devices_is_refused():
    with pytest.raises(UserError, match="batch_size is 3; expected at least 4, one per GPU"):
        Schedule(13, 3, 1, 0).part(0, 4)


def _reduced_to(monkeypatch, totals):
    """Another process has what is lacking to these sums."""
    monkeypatch.setattr(torch.distributed, "all_reduce", lambda own: own.copy_(totals))


def test_losses_of_a_part_by_hand(monkeypatch):
    """Of 5 samples 3 are here, of 40 pixels 30; no pair is anywhere."""
    _reduced_to(monkeypatch, torch.tensor([40.0, 0.0]))
    losses = {
        "samples": torch.tensor(1.0),
        "pixels": MeanOf(torch.tensor(2.0), torch.tensor(30)),
        "pairs": MeanOf(torch.tensor(0.5), torch.tensor(0.0)),
    }
    scaled = losses_of_batch(losses, Part(0, 2, 5))
    assert {name: x.item() for name, x in scaled.items()} == {
        "samples": pytest.approx(3 * 2 / 5),
        "pixels": 2 * 30 * 2 / 40,
        "pairs": 0.5,
    }


def test_losses_of_the_only_process_are_left_alone():
    mean = torch.tensor(2.0)
    losses = {"pixels": MeanOf(mean, torch.tensor(30)), "samples": mean}
    assert all(x is mean for x in losses_of_batch(losses, Part(0, 1, 5)).values())


@pytest.mark.parametrize("layer", [nn.Dropout(0.4), nn.Dropout2d(0.4)])
@given(batch_size=st.integers(1, 7), data=st.data())
@settings(max_examples=10)
def test_dropout_of_the_parts_is_that_of_the_whole_batch(layer, batch_size, data):
    world_size = data.draw(st.integers(1, batch_size))
    x = torch.rand(batch_size, 3, 4, 5).to(memory_format=torch.channels_last)

    def dropped(part):
        model = nn.Sequential(layer)
        train_as_one(model, part, CPU)
        torch.manual_seed(batch_size)
        return model.train()(part.of(x))

    whole = dropped(Part(0, 1, batch_size))
    for rank in range(world_size):
        part = Part(rank, world_size, batch_size)
        assert torch.equal(dropped(part), part.of(whole))


def test_dropout_keeps_or_drops_whole_channels_and_keeps_the_mean():
    model = nn.Sequential(nn.Dropout2d(0.25), nn.Identity())
    train_as_one(model, Part(1, 2, 8), CPU)
    ones = torch.ones(4, 1000, 2, 2)
    out = model(ones)
    assert out.unique().tolist() == [0, pytest.approx(4 / 3)]
    assert torch.equal(out, out[..., :1, :1].expand_as(out))
    assert out.mean().item() == pytest.approx(1, abs=0.05)
    assert model.eval()(ones) is ones


@functools.cache
def curves_of_two_processes(devices):
    done = subprocess.run(
        [sys.executable, "-m", "tests.training.loss_curves"],
        env=os.environ | {DEVICES: devices},
        capture_output=True,
        text=True,
        cwd=PROJECT,
        timeout=300,
    )
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def assert_same_curve(alone, together, *, rel):
    assert len(alone) == len(together) == STEPS
    for row, other in zip(alone, together, strict=True):
        assert other == pytest.approx(row, rel=rel, abs=1e-7)
    assert len({row["loss"] for row in alone}) == STEPS


@pytest.mark.parametrize("case", CASES)
def test_two_processes_have_the_loss_curve_of_one(case):
    """Batches of 5, of which one has 3; of labelled pixels, pairs and classes either has more."""
    assert_same_curve(curve(case), curves_of_two_processes("cpu cpu")[case], rel=1e-5)


@pytest.mark.gpu
@pytest.mark.parametrize("case", CASES)
def test_two_processes_on_gpus_have_the_loss_curve_of_one(case):
    """On two GPUs, or, where there is one, both on that."""
    second = "cuda:1" if torch.cuda.device_count() > 1 else "cuda:0"
    together = curves_of_two_processes(f"cuda:0 {second}")[case]
    # Gradients of resized maps are added up in any order there, and so differ from run to run.
    assert_same_curve(curve(case, gpus=1), together, rel=1e-3)
