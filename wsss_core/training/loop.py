"""The training loop of every network: one loop, resumable at any step.

Nothing random outlives a step: the order of samples follows from (seed, epoch), a sample's
augmentation from (seed, epoch, index), dropout from (seed, step). So the state to resume from is
model, optimiser and step number, and a resumed run ends with the weights of an uninterrupted one.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from contextlib import closing
from pathlib import Path
from typing import Any, NoReturn, Protocol, cast

import lightning_fabric
import numpy as np
import pandas as pd
import torch
from lightning_fabric.plugins.environments.lightning import LightningEnvironment
from lightning_fabric.strategies.ddp import DDPStrategy
from torch import Tensor, nn
from torch.utils.tensorboard import SummaryWriter
from tqdm import tqdm

from wsss_core.config.training import TrainingConfig
from wsss_core.models.precision import Precision, use_exact_products
from wsss_core.runtime.atomic import atomic_file, writing_errors
from wsss_core.runtime.devices import device
from wsss_core.runtime.errors import UserError
from wsss_core.runtime.profiling import profiled
from wsss_core.runtime.progress import progress
from wsss_core.training.batches import Batch, Samples, Schedule, load_batches
from wsss_core.training.checkpoint import Row, TrainingState
from wsss_core.training.distributed import Losses, losses_of_batch, train_as_one
from wsss_core.training.loss_monitor import TOTAL, Alarm, LossWatch, mean_losses
from wsss_core.training.optim import build_optimizer, poly_lr
from wsss_core.training.signals import Agreement, Interrupted, Pace, StopRequest
from wsss_core.training.waiting import Waiting

History = list[Row]


class TrainableModel(Protocol):
    """A network wrapped with its losses, so that one forward call holds the whole loss."""

    net: Any  # a module with a `backbone`; what is saved
    loss_weights: dict[str, float]  # factor of each loss by name
    alarms: tuple[Alarm, ...]  # measures that are warned of

    def __call__(self, batch: Batch) -> Losses:
        """Unweighted losses by name; one without a weight is a measure to log."""
        ...

    def param_groups(self) -> dict[str, list[nn.Parameter]]:
        """Parameters of the pretrained 'backbone' and of the new 'head'."""
        ...


def write_history(path: Path, history: History) -> None:
    """Writes the loss curve as CSV: step, epoch, lr, loss, and each loss by name.

    Without an epoch of training there is the header alone, and no losses by name in it.
    """
    columns = None if history else ["step", "epoch", "lr", "loss"]
    with atomic_file(path) as temporary:
        pd.DataFrame(history, columns=columns).to_csv(temporary, index=False)


def train(  # noqa: PLR0913
    model: nn.Module,
    samples: Samples,
    *,
    config: TrainingConfig,
    loss_weights: dict[str, float],
    seed: int,
    gpus: int,
    precision: Precision = "float32",
    threads: int,
    work_dir: Path,
    checkpoint_minutes: float,
    log_every: int,
    key: str,
    desc: str,
    alarms: Sequence[Alarm] = (),
    trace: Path | None = None,
) -> History:
    """Trains `model` in place.

    Args:
        model: A `TrainableModel`.
        samples: What it is trained on.
        config: Epochs, effective batch size, optimiser.
        loss_weights: Factor of each loss that `model` returns; others are measures.
        seed: Decides order, augmentation and dropout.
        gpus: Number of GPUs; 0 trains on the CPU. With several, each has a process of its own and
            a part of every batch, and the losses are those of the whole batch (`train_as_one` says
            where not). Only the first process returns: what the caller does with the weights
            happens once.
        precision: What the network computes in; losses are in float32.
        threads: CPU threads for computing and loading together, of all processes.
        work_dir: Keeps the state of an unfinished training.
        checkpoint_minutes: The state is saved that often, and when the training is asked to stop:
            a power cut costs no more work than that and a step.
        log_every: Steps of a row of the history. When a GPU is asked for its losses, and they are
            checked.
        key: A state saved under another key is ignored.
        desc: Name shown by the progress bar.
        alarms: Measures that are warned of.
        trace: File for a trace of ten steps.

    Returns:
        One row per `log_every` steps: step, epoch, lr, loss, and the mean of each loss and measure.

    Raises:
        UserError: The batch has fewer samples than there are GPUs, or a loss or a gradient is
            no longer finite. Then the state stays as it was last saved, when they were.
        Interrupted: SIGTERM or SIGINT came; the state is saved.
    """
    fabric = _fabric(gpus, precision)
    threads = max(1, threads // fabric.world_size)
    torch.set_num_threads(threads)
    schedule = Schedule(len(samples), config.batch_size, config.epochs, seed)
    part = schedule.part(fabric.global_rank, fabric.world_size)
    if part.world_size > 1:
        train_as_one(model, part, fabric.device)
    lr_steps = config.lr_epochs * schedule.steps_per_epoch
    optimizer = build_optimizer(cast(TrainableModel, model).param_groups(), config.optim)
    wrapped, stepper = fabric.setup(model.to(memory_format=torch.channels_last), optimizer)
    state = TrainingState(work_dir / "state.pt", key, model, optimizer)
    _tell_start(fabric, state, desc)
    loader = fabric.setup_dataloaders(
        load_batches(
            samples, schedule, state.step, part=part, device=fabric.device, threads=threads
        ),
        use_distributed_sampler=False,
    )
    events = None
    if fabric.is_global_zero:
        events = _event_writer(work_dir.parent / "tensorboard", state.step)
    watch = LossWatch(fabric, optimizer)
    agreement, pace = Agreement(part.world_size), Pace(fabric.device)
    wrapped.train()
    batches = Waiting(loader)
    steps = profiled(batches, trace if fabric.is_global_zero else None)
    bar = progress(steps, total=schedule.steps, initial=state.step, desc=desc, unit="step")
    bar.disable = bar.disable or not fabric.is_global_zero
    # On a CPU nothing is waited for, so each step is looked at, and the last one may be saved while
    # the next, which may take minutes there, is under way.
    on_cpu = fabric.device.type == "cpu"
    give_up = state.save if on_cpu and fabric.is_global_zero else None
    # Readers that are not told to end are waited for ten seconds when they are collected.
    with closing(steps), StopRequest(give_up) as stop:
        for batch in bar:
            _scale_lr(optimizer, poly_lr(state.step, lr_steps, config.optim.poly_power))
            torch.manual_seed(_mix(seed, state.step))
            losses = losses_of_batch(wrapped(batch), part)
            total = cast(Tensor, sum(w * losses[name] for name, w in loss_weights.items()))
            fabric.backward(total)
            watch.add({TOTAL: total, **losses})
            with state.lock:
                stepper.step()
                stepper.zero_grad(set_to_none=True)
                state.step += 1
                pace.step()
                ends = state.step % log_every == 0 or state.step == schedule.steps
                is_due = fabric.is_global_zero and state.age() >= checkpoint_minutes
                stops, saves = agreement.highest(stop.number, is_due)
                if not (on_cpu or ends or stops or saves):
                    continue
                latest, fault = watch.look()
                if fault is not None:
                    at = state.step - fault.steps_ago
                    images = [samples.image_ids[index] for _, index in schedule.batch(at - 1)]
                    _leave(fabric, _not_finite(f"{desc}: step {at}: {fault.what}", images))
                state.losses += latest
                if ends:
                    row = {"step": state.step, "epoch": state.step / schedule.steps_per_epoch}
                    row |= {"lr": optimizer.param_groups[0]["lr"], **mean_losses(state.losses)}
                    state.history.append(row)
                    state.losses = []
                    waiting = f"{batches.share():.0%}"  # for images
                    bar.set_postfix(loss=f"{row[TOTAL]:.3f}", waiting=waiting, refresh=False)
                    _tell(state.history, events, bar, alarms)
                if fabric.is_global_zero and (stops or saves):
                    state.save()
                if stops:
                    _leave(fabric, Interrupted(128 + stops))
    if events is None:
        raise SystemExit(0)
    with writing_errors(Path(events.log_dir)):
        events.close()
    return state.history


def _tell_start(fabric: lightning_fabric.Fabric, state: TrainingState, desc: str) -> None:
    if state.step and fabric.is_global_zero:
        sys.stderr.write(f"{desc}: going on from step {state.step}\n")


def _scale_lr(optimizer: torch.optim.Optimizer, factor: float) -> None:
    for group in optimizer.param_groups:
        group["lr"] = group["initial_lr"] * factor


def _not_finite(what: str, images: Sequence[str]) -> UserError:
    return UserError(f"{what}; expected finite numbers. Images of the batch: {', '.join(images)}")


def _leave(fabric: lightning_fabric.Fabric, reason: BaseException) -> NoReturn:
    """Ends all processes after the same step; the first one says why.

    The others leave as if all were well, since Fabric kills the first when another one fails.
    """
    fabric.barrier()
    if fabric.is_global_zero:
        raise reason
    raise SystemExit(0)


def _fabric(gpus: int, precision: Precision) -> lightning_fabric.Fabric:
    """Device, precision and data parallelism."""
    use_exact_products()
    fabric = lightning_fabric.Fabric(
        accelerator=device(gpus).type,
        devices=max(gpus, 1),
        strategy=DDPStrategy(gradient_as_bucket_view=True, broadcast_buffers=False)
        if gpus > 1
        else "auto",
        precision="bf16-mixed" if precision == "bfloat16" else "32-true",
        plugins=LightningEnvironment(),  # starts the processes itself, inside a Slurm job too
    )
    fabric.launch()
    return fabric


def _mix(*numbers: int) -> int:
    """One well-mixed 63-bit seed from several small numbers."""
    return int(np.random.SeedSequence(numbers).generate_state(1, np.uint64)[0] >> 1)


def _event_writer(directory: Path, step: int) -> SummaryWriter:
    """TensorBoard events of this run; a fresh start clears those of an earlier one."""
    if step == 0 and directory.is_dir():
        for file in directory.glob("events.out.tfevents.*"):
            file.unlink()
    with writing_errors(directory):
        return SummaryWriter(str(directory), purge_step=step or None)


def _tell(
    history: History, events: SummaryWriter | None, bar: tqdm[Any], alarms: Sequence[Alarm]
) -> None:
    """Writes the last row of a history as events, and warnings to the log, in one process."""
    if events is None:
        return
    row = history[-1]
    with writing_errors(Path(events.log_dir)):
        for name, value in row.items():
            if name not in ("step", "epoch"):
                events.add_scalar(name, value, int(row["step"]))
    for message in filter(None, (alarm.message(history) for alarm in alarms)):
        bar.write(f"warning: {bar.desc}: step {row['step']}: {message}", file=sys.stderr)
