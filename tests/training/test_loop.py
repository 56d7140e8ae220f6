"""Tests of the training loop: its results, and interruption at any step."""

import contextlib
import csv
import logging
import math
import os
import signal
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn

from tests.runtime.small_disk import small_disk
from wsss_core.config.classifier import MethodSchedule
from wsss_core.config.training import OptimConfig, TrainingConfig
from wsss_core.runtime.errors import UserError, run_command
from wsss_core.training.batches import Schedule
from wsss_core.training.loop import train, write_history
from wsss_core.training.loss_monitor import Alarm
from wsss_core.training.signals import Interrupted

CONFIG = TrainingConfig(epochs=9, batch_size=4, optim=OptimConfig(name="adamw", lr=0.01))
STEPS = 27  # 9 epochs of 3 steps; the 13th sample of an epoch is left over
LOSS_WEIGHTS = {"squared": 1.0, "absolute": 0.5}


class _Samples:
    """13 points on a plane, each with noise of its own every time."""

    image_ids = tuple(f"i{index}" for index in range(13))

    def __len__(self):
        return 13

    def sample(self, index, rng):
        x = torch.linspace(-1, 1, 13)[index] * torch.tensor([1.0, 0.5, -1.0, 2.0])
        noise = torch.from_numpy(rng.normal(scale=0.1, size=4)).float()
        return {"x": x + noise, "y": x.sum(0, keepdim=True)}


class _SignallingSamples(_Samples):
    """The reader's 40th sample comes with a SIGTERM to it and to the training, as from Slurm."""

    def __init__(self):
        self.num_read = 0

    def sample(self, index, rng):
        self.num_read += 1
        if self.num_read == 40:
            os.kill(os.getpid(), signal.SIGTERM)
            os.kill(os.getppid(), signal.SIGTERM)
        return super().sample(index, rng)


class Net(nn.Module):
    """A small network with dropout; `before_step` is called with the number of the step."""

    def __init__(self, before_step=lambda step: None):
        super().__init__()
        torch.manual_seed(0)
        self.body = nn.Linear(4, 16)
        self.head = nn.Linear(16, 1)
        self.before_step = before_step
        self.num_calls = 0

    def forward(self, batch):
        self.num_calls += 1
        self.before_step(self.num_calls)
        hidden = F.dropout(self.body(batch["x"]).relu(), 0.5, self.training)
        y = self.head(hidden)
        return {"squared": F.mse_loss(y, batch["y"]), "absolute": F.l1_loss(y, batch["y"])}

    def param_groups(self):
        return {"backbone": list(self.body.parameters()), "head": list(self.head.parameters())}


def _signal_at(step, number=signal.SIGTERM):
    return lambda current: os.kill(os.getpid(), number) if current == step else None


def train_tiny(model, work_dir, *, samples=None, **changes):
    arguments = {
        "config": CONFIG,
        "loss_weights": LOSS_WEIGHTS,
        "seed": 3,
        "gpus": 0,
        "threads": 1,
        "work_dir": work_dir,
        "checkpoint_minutes": 10.0,
        "log_every": 10,
        "key": "a",
        "desc": "Tiny",
    }
    return train(model, samples or _Samples(), **(arguments | changes))


def _same_weights(model, other):
    ours, theirs = model.state_dict(), other.state_dict()
    return all(torch.equal(ours[name], theirs[name]) for name in theirs)


@pytest.fixture(scope="module")
def uninterrupted(tmp_path_factory):
    """A trained network and its history."""
    model = Net()
    return model, train_tiny(model, tmp_path_factory.mktemp("uninterrupted") / "state")


@pytest.fixture(scope="module")
def every_step(tmp_path_factory):
    """The history of the same training with a row for each step."""
    return train_tiny(Net(), tmp_path_factory.mktemp("every_step") / "state", log_every=1)


@pytest.mark.parametrize(("number", "code"), [(signal.SIGTERM, 143), (signal.SIGINT, 130)])
def test_a_signal_ends_training_with_its_code_after_saving_the_state(tmp_path, number, code):
    handlers = [signal.getsignal(n) for n in (signal.SIGTERM, signal.SIGINT)]
    model = Net(_signal_at(5, number))
    with pytest.raises(Interrupted) as stopped:
        train_tiny(model, tmp_path / "state")
    assert stopped.value.code == code
    assert model.num_calls == 5  # the step under way is finished, no other is begun
    assert [file.name for file in (tmp_path / "state").iterdir()] == ["state.pt"]
    assert [signal.getsignal(n) for n in (signal.SIGTERM, signal.SIGINT)] == handlers


@pytest.mark.parametrize("step", [10, STEPS])
def test_an_interrupted_training_ends_like_an_uninterrupted_one(
    tmp_path, uninterrupted, step, capsys
):
    with pytest.raises(Interrupted):
        train_tiny(Net(_signal_at(step)), tmp_path / "state")
    assert f"state saved at step {step}\n" in capsys.readouterr().err
    model = Net()
    history = train_tiny(model, tmp_path / "state")
    assert f": resuming from step {step}\n" in capsys.readouterr().err
    assert model.num_calls == STEPS - step
    assert _same_weights(model, uninterrupted[0])
    assert history == uninterrupted[1]


def test_an_interruption_between_two_rows_costs_nothing(tmp_path, uninterrupted):
    with pytest.raises(Interrupted):
        train_tiny(Net(_signal_at(4)), tmp_path / "state")
    with pytest.raises(Interrupted):
        train_tiny(Net(_signal_at(9)), tmp_path / "state")  # its 9th step is the 13th
    model = Net()
    history = train_tiny(model, tmp_path / "state")
    assert model.num_calls == STEPS - 13
    assert _same_weights(model, uninterrupted[0])
    assert history == uninterrupted[1]


def test_a_signal_to_all_processes_loses_nothing(tmp_path, uninterrupted):
    with pytest.raises(Interrupted):
        train_tiny(Net(), tmp_path / "state", samples=_SignallingSamples())
    model = Net()
    train_tiny(model, tmp_path / "state")
    assert 0 < model.num_calls < STEPS
    assert _same_weights(model, uninterrupted[0])


def test_a_killed_training_goes_on_from_its_last_state(tmp_path, uninterrupted):

    def fail(step):
        if step == 21:
            raise RuntimeError("as good as killed")

    with pytest.raises(RuntimeError, match="as good as killed"):
        train_tiny(Net(fail), tmp_path / "state", checkpoint_minutes=0.0)
    model = Net()
    history = train_tiny(model, tmp_path / "state")
    assert model.num_calls == STEPS - 20
    assert _same_weights(model, uninterrupted[0])
    assert history == uninterrupted[1]


def test_a_state_is_saved_every_so_many_minutes(tmp_path, monkeypatch):
    """Steps of 90 seconds by the clock, and a state at least every 5 minutes."""
    path = tmp_path / "state" / "state.pt"
    saved = []

    def look(step):
        monkeypatch.setattr("time.monotonic", lambda: 1e6 + 90 * step)
        if path.exists():
            saved.append(torch.load(path)["step"])

    monkeypatch.setattr("time.monotonic", lambda: 1e6)
    train_tiny(Net(look), tmp_path / "state", checkpoint_minutes=5)
    assert sorted(set(saved)) == [4, 8, 12, 16, 20, 24]


def test_a_step_that_does_not_end_in_time_is_given_up(tmp_path, uninterrupted):
    """It is repeated by the next run, which then ends like an uninterrupted one."""
    command = [sys.executable, "-m", "tests.training.slow_step", tmp_path / "state"]
    project = Path(__file__).parents[2]
    run = subprocess.run(command, cwd=project, capture_output=True, text=True, timeout=60)
    assert run.returncode == 128 + signal.SIGTERM, run.stderr
    assert torch.load(tmp_path / "state" / "state.pt")["step"] == 13
    model = Net()
    assert train_tiny(model, tmp_path / "state") == uninterrupted[1]
    assert model.num_calls == STEPS - 13
    assert _same_weights(model, uninterrupted[0])


def test_a_state_with_another_key_is_ignored(tmp_path, uninterrupted):
    with pytest.raises(Interrupted):
        train_tiny(Net(_signal_at(10)), tmp_path / "state", key="b")
    model = Net()
    history = train_tiny(model, tmp_path / "state")
    assert model.num_calls == STEPS
    assert _same_weights(model, uninterrupted[0])
    assert history == uninterrupted[1]


@pytest.mark.parametrize("content", [b"", b"PK\x03\x04 cut off", b"no archive at all"])
def test_a_state_that_cannot_be_read_is_told_and_ignored(tmp_path, uninterrupted, capsys, content):
    (tmp_path / "state").mkdir()
    (tmp_path / "state" / "state.pt").write_bytes(content)
    model = Net()
    train_tiny(model, tmp_path / "state")
    assert "state.pt: cannot be read; starting at step 0" in capsys.readouterr().err
    assert _same_weights(model, uninterrupted[0])


def test_a_state_of_an_older_form_is_ignored(tmp_path, uninterrupted):
    (tmp_path / "state").mkdir()
    torch.save({"epoch": 3}, tmp_path / "state" / "state.pt")
    model = Net()
    train_tiny(model, tmp_path / "state")
    assert _same_weights(model, uninterrupted[0])


def test_another_seed_gives_other_weights(tmp_path, uninterrupted):
    model = Net()
    train_tiny(model, tmp_path / "state", seed=4)
    assert not _same_weights(model, uninterrupted[0])


def test_no_epochs_leave_the_network_as_it_is(tmp_path):
    model = Net()
    config = CONFIG.model_copy(update={"epochs": 0})
    assert train_tiny(model, tmp_path / "state", config=config) == []
    assert _same_weights(model, Net())


def test_no_advice_of_fabric_is_shown(uninterrupted):
    logger = logging.getLogger("lightning_fabric.utilities.rank_zero")
    assert not logger.isEnabledFor(logging.INFO)
    assert logger.isEnabledFor(logging.WARNING)


def test_the_history_has_a_row_now_and_then_and_at_the_end(uninterrupted):
    history = uninterrupted[1]
    columns = ["step", "epoch", "lr", "loss", "squared", "absolute"]
    assert [list(row) for row in history] == [columns] * 3
    assert [row["step"] for row in history] == [10, 20, STEPS]
    assert [row["epoch"] for row in history] == [10 / 3, 20 / 3, 9]


def test_the_learning_rate_may_fall_for_longer_than_the_training(tmp_path):
    longer = MethodSchedule(**CONFIG.model_dump(), schedule_epochs=90)
    history = train_tiny(Net(), tmp_path / "state", config=longer, log_every=1)
    rates = [row["lr"] for row in history]
    expected = [0.01 * (1 - step / (10 * STEPS)) ** 0.9 for step in range(STEPS)]
    assert rates == pytest.approx(expected)


def test_a_row_is_the_mean_over_its_steps(uninterrupted, every_step):
    assert [row["step"] for row in every_step] == list(range(1, STEPS + 1))
    for row, first in zip(uninterrupted[1], (0, 10, 20), strict=True):
        steps = every_step[first : row["step"]]
        for name in ("loss", "squared", "absolute"):
            assert row[name] == pytest.approx(np.mean([s[name] for s in steps]), rel=1e-5)


def test_the_loss_is_the_weighted_sum_of_unweighted_losses(uninterrupted):
    for row in uninterrupted[1]:
        assert row["loss"] == pytest.approx(row["squared"] + 0.5 * row["absolute"], rel=1e-5)


class _Slopes(nn.Module):
    """Two parameters at 0, and losses that rise and fall with both."""

    def __init__(self):
        super().__init__()
        self.slow, self.fast = nn.Parameter(torch.zeros(1)), nn.Parameter(torch.zeros(1))

    def forward(self, batch):
        total = (self.slow + self.fast).sum()
        return {"rising": total, "falling": -total}

    def param_groups(self):
        return {"backbone": [self.slow], "head": [self.fast]}


def test_losses_are_weighted_and_the_learning_rate_falls_by_hand(tmp_path):
    """Four steps of slope 3 - 1 = 2, at rates of 0.1 times 1, 3/4, 1/2 and 1/4: 2 * 0.25."""
    model = _Slopes()
    optim = OptimConfig(lr=0.1, head_lr_factor=10, momentum=0, weight_decay=0, poly_power=1)
    history = train_tiny(
        model,
        tmp_path / "state",
        config=TrainingConfig(epochs=4, batch_size=100, optim=optim),  # more than there are
        loss_weights={"rising": 3.0, "falling": 1.0},
        log_every=1,
    )
    assert model.slow.item() == pytest.approx(-0.5)
    assert model.fast.item() == pytest.approx(-5)
    assert [row["lr"] for row in history] == pytest.approx([0.1, 0.075, 0.05, 0.025])
    # Both parameters together: 0, then 2 * 1.1 * 1 less, then 2 * 1.1 * 0.75 less, ...
    assert [row["rising"] for row in history] == pytest.approx([0, -2.2, -3.85, -4.95])
    assert [row["loss"] for row in history] == pytest.approx([0, -4.4, -7.7, -9.9])


class Diverging(Net):
    """A loss, or its gradient alone, is not finite in one step."""

    def __init__(self, step, *, factor=math.nan, power=1.0, before_step=lambda step: None):
        super().__init__(before_step)
        self.step = step
        self.factor = factor
        self.power = power

    def forward(self, batch):
        losses = super().forward(batch)
        if self.num_calls == self.step:
            # 0 ** 0.5 is 0, and its slope is infinite.
            losses["absolute"] = (losses["absolute"] * self.factor) ** self.power
        return losses


def _names_of_batch(step):
    schedule = Schedule(13, CONFIG.batch_size, CONFIG.epochs, 3)
    return [f"i{index}" for _, index in list(schedule.batches(0))[step - 1]]


@pytest.mark.parametrize("step", [1, 10, 15, STEPS])
@pytest.mark.parametrize("value", ["nan", "inf"])
def test_a_loss_that_is_not_finite_is_named_with_step_and_images(tmp_path, value, step):
    model = Diverging(step, factor=float(value))
    with pytest.raises(UserError) as stopped:
        train_tiny(model, tmp_path / "state")
    assert str(stopped.value) == (
        f"Tiny: step {step}: absolute is {value}; expected finite numbers. "
        f"Images of the batch: {', '.join(_names_of_batch(step))}"
    )
    assert model.num_calls == step


@pytest.mark.parametrize("step", [7, 10, STEPS])
def test_a_gradient_that_is_not_finite_is_noticed_before_its_weights_are_kept(tmp_path, step):
    model = Diverging(step, factor=0, power=0.5)
    names = ", ".join(_names_of_batch(step))
    with pytest.raises(UserError, match=rf"^Tiny: step {step}: the gradient is nan.* {names}$"):
        train_tiny(model, tmp_path / "state")


def test_the_state_of_a_diverged_training_is_not_saved(tmp_path):
    model = Diverging(5, before_step=_signal_at(7))
    with pytest.raises(UserError, match="Tiny: step 5: absolute is nan"):
        train_tiny(model, tmp_path / "state")
    assert not (tmp_path / "state" / "state.pt").exists()


@pytest.mark.parametrize("broken", [Diverging(7), Diverging(7, factor=0, power=0.5)])
def test_a_diverged_training_goes_on_from_its_last_good_state(tmp_path, uninterrupted, broken):
    with pytest.raises(Interrupted):
        train_tiny(Net(_signal_at(10)), tmp_path / "state")
    with pytest.raises(UserError, match="Tiny: step 17: "):
        train_tiny(broken, tmp_path / "state", checkpoint_minutes=0.0)
    model = Net()
    history = train_tiny(model, tmp_path / "state")
    assert model.num_calls == STEPS - 16
    assert _same_weights(model, uninterrupted[0])
    assert [row["step"] for row in history] == [10, 20, STEPS]


def test_a_diverged_training_ends_with_one_line(tmp_path, capsys):
    with pytest.raises(SystemExit) as stopped:
        run_command(lambda: train_tiny(Diverging(4), tmp_path / "state"))
    assert stopped.value.code == 1
    told = capsys.readouterr().err
    errors = [line for line in told.splitlines() if line.startswith("error:")]
    assert len(errors) == 1 and errors[0].startswith("error: Tiny: step 4: absolute is nan;")
    assert "Traceback" not in told


def two_processes(case, work_dir):
    command = [sys.executable, "-m", "tests.training.two_processes", case, work_dir]
    project = Path(__file__).parents[2]
    return subprocess.run(command, cwd=project, capture_output=True, text=True, timeout=300)


def test_processes_stop_together_for_a_loss_of_any_and_keep_the_last_good_state(tmp_path):
    run = two_processes("diverging", tmp_path / "state")
    assert run.returncode == 1, run.stderr
    errors = [line for line in run.stderr.splitlines() if line.startswith("error:")]
    what = "absolute is nan; expected finite numbers. Images of the batch"
    assert errors == [f"error: Tiny: step 15: {what}: {', '.join(_names_of_batch(15))}"]
    assert "Traceback" not in run.stderr
    assert torch.load(tmp_path / "state" / "state.pt")["step"] == 14


def test_processes_stop_after_the_step_in_which_any_is_asked_to(tmp_path):
    """However long a step takes: none is waited for but the one under way."""
    run = two_processes("asked to stop", tmp_path / "state")
    assert run.returncode == 128 + signal.SIGTERM, run.stderr
    assert "Traceback" not in run.stderr
    assert torch.load(tmp_path / "state" / "state.pt")["step"] == 3


class _Measuring(Net):
    """With a measure that falls by 1 at each step, from 30."""

    def forward(self, batch):
        return {**super().forward(batch), "height": torch.tensor(31.0 - self.num_calls)}


def test_a_measure_is_logged_and_no_part_of_the_loss(tmp_path, uninterrupted):
    model = _Measuring()
    history = train_tiny(model, tmp_path / "state")
    assert _same_weights(model, uninterrupted[0])
    assert [row.pop("height") for row in history] == [25.5, 15.5, 7]
    assert history == uninterrupted[1]


@pytest.mark.parametrize(("limit", "steps"), [(20.0, [20]), (10.0, [STEPS]), (5.0, [])])
def test_a_measure_below_its_limit_is_warned_of_once(tmp_path, capsys, limit, steps):
    train_tiny(_Measuring(), tmp_path / "state", alarms=[Alarm("height", limit, "too low")])
    lines = [line for line in capsys.readouterr().err.splitlines() if "warning" in line]
    values = {20: "15.5", STEPS: "7"}
    assert lines == [
        f"warning: Tiny: step {step}: height is {values[step]}, below {limit:g}: too low"
        for step in steps
    ]


schedules = st.builds(
    Schedule,
    st.integers(1, 40),
    st.integers(1, 12),
    st.integers(1, 4),
    st.integers(0, 2**31 - 1),
)


@given(schedule=schedules)
@settings(max_examples=60)
def test_an_epoch_visits_distinct_samples_and_drops_the_last_partial_batch(schedule):
    batches = list(schedule.batches(0))
    assert len(batches) == schedule.steps
    visits = [visit for batch in batches for visit in batch]
    assert len(set(visits)) == len(visits)
    size = min(schedule.batch_size, schedule.num_samples)
    steps = schedule.num_samples // size
    assert [len(batch) for batch in batches] == [size] * len(batches)
    epochs = [epoch for epoch in range(len(batches) // steps) for _ in range(steps * size)]
    assert [epoch for epoch, _ in visits] == epochs
    assert all(0 <= index < schedule.num_samples for _, index in visits)


@given(schedule=schedules, data=st.data())
@settings(max_examples=60)
def test_a_schedule_from_a_later_step_is_the_rest_of_the_whole(schedule, data):
    start = data.draw(st.integers(0, schedule.steps))
    assert list(schedule.batches(start)) == list(schedule.batches(0))[start:]


def test_the_order_follows_from_seed_and_epoch():
    def orders(seed):
        batches = list(Schedule(20, 20, 2, seed).batches(0))
        return [[index for _, index in batch] for batch in batches]

    assert orders(1) == orders(1)
    (first, second), (other, _) = orders(1), orders(2)
    assert len({tuple(order) for order in (first, second, other, range(20))}) == 4
    assert sorted(first) == sorted(second) == sorted(other) == list(range(20))


def test_a_written_history_is_read_again(tmp_path: Path, uninterrupted):
    path = tmp_path / "new" / "history.csv"
    write_history(path, uninterrupted[1])
    with path.open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert list(rows[0]) == ["step", "epoch", "lr", "loss", "squared", "absolute"]
    assert [row["step"] for row in rows] == ["10", "20", "27"]
    read = [{name: float(value) for name, value in row.items()} for row in rows]
    assert read == uninterrupted[1]
    assert [file.name for file in path.parent.iterdir()] == ["history.csv"]


@pytest.mark.parametrize("fault", ["full", "ro"])
def test_a_disk_that_takes_no_curves_is_told_and_the_last_state_stays(
    tmp_path, uninterrupted, fault
):
    with small_disk(tmp_path / "run", "size=64k") as remount:

        def spoil(step):
            if step == 25 and fault == "full":
                with contextlib.suppress(OSError), (tmp_path / "run/filler").open("wb") as file:
                    while True:
                        file.write(bytes(512))
            elif step == 25:
                remount("ro")

        model = Net(spoil)
        with pytest.raises(UserError, match="No space left|Read-only file system"):
            train_tiny(model, tmp_path / "run/state", checkpoint_minutes=1e-9)
        remount("rw")
        (tmp_path / "run/filler").unlink(missing_ok=True)
        again = Net()
        train_tiny(again, tmp_path / "run/state")
        assert again.num_calls < uninterrupted[0].num_calls
        assert _same_weights(again, uninterrupted[0])
