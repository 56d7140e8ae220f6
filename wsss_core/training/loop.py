"""The training loop for all networks; it can resume at any step.

No random state outlives a step. The order of samples follows from (seed, epoch), the augmentation
of a sample from (seed, epoch, index), and dropout from (seed, step). A resumed training therefore
needs only model, optimiser and step number, and ends with the weights of an uninterrupted one.
"""

from __future__ import annotations

import logging
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

from wsss_core.config.precision import Precision
from wsss_core.config.training import TrainingConfig
from wsss_core.models.precision import use_exact_products
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
    """A network with its losses: one forward call computes the whole loss."""

    net: Any  # the module that is saved; it has a `backbone`
    loss_weights: dict[str, float]  # factor of each loss, by name
    alarms: tuple[Alarm, ...]  # measures whose low values cause warnings

    def __call__(self, batch: Batch) -> Losses:
        """Computes unweighted losses by name; one without a weight is a measure, only logged."""
        ...

    def param_groups(self) -> dict[str, list[nn.Parameter]]:
        """Returns the parameters of the pretrained 'backbone' and of the new 'head'."""
        ...


def write_history(path: Path, history: History) -> None:
    """Writes the loss curve as CSV with the columns step, epoch, lr, loss, and each loss by name.

    If the training had no epoch, the file has only the header, without single losses.
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
        samples: The training samples.
        config: Epochs, effective batch size, optimiser.
        loss_weights: Factor of each loss that `model` returns; other values are measures.
        seed: Decides order, augmentation and dropout.
        gpus: Number of GPUs; 0 trains on the CPU. With several GPUs, each has a process of its own
            and a part of every batch. The losses are those of the whole batch (for exceptions, see
            `train_as_one`). Only the first process returns, so that the caller writes the weights
            only once.
        precision: Precision of the network; losses are in float32.
        threads: Number of CPU threads for computing and loading, of all processes together.
        work_dir: Folder for the state of an unfinished training.
        checkpoint_minutes: Minutes between checkpoints. A checkpoint is also written when the
            training is asked to stop. A power cut loses at most this time and one step.
        log_every: Number of steps per row of the history. On a GPU, losses are read and checked
            only this often.
        key: A state that was saved under another key is ignored.
        desc: Name shown by the progress bar.
        alarms: Measures whose low values cause warnings.
        trace: File for a profiler trace of ten steps.

    Returns:
        One row per `log_every` steps: step, epoch, lr, loss, and the mean of each loss and measure.

    Raises:
        UserError: The batch has fewer samples than there are GPUs, or a loss or gradient is not
            finite. In the second case, the last saved state, from before, is kept.
        Interrupted: SIGTERM or SIGINT was received; the state is saved.
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
    # On a CPU, reading the losses needs no waiting, so each step is checked. There a step may take
    # minutes. If a request to stop comes meanwhile, the state after the last step can be saved.
    on_cpu = fabric.device.type == "cpu"
    give_up = state.save if on_cpu and fabric.is_global_zero else None
    # Closing `steps` ends the reader processes; otherwise their cleanup waits for ten seconds.
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
                    waiting = f"{batches.share():.0%}"  # share of time spent on waiting for images
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
        sys.stderr.write(f"{desc}: resuming from step {state.step}\n")


def _scale_lr(optimizer: torch.optim.Optimizer, factor: float) -> None:
    for group in optimizer.param_groups:
        group["lr"] = group["initial_lr"] * factor


def _not_finite(what: str, images: Sequence[str]) -> UserError:
    return UserError(f"{what}; expected finite numbers. Images of the batch: {', '.join(images)}")


def _leave(fabric: lightning_fabric.Fabric, reason: BaseException) -> NoReturn:
    """Ends all processes after the same step; only the first one reports the reason.

    The others exit with status 0, because Fabric kills the first process if another one fails.
    """
    fabric.barrier()
    if fabric.is_global_zero:
        raise reason
    raise SystemExit(0)


def _fabric(gpus: int, precision: Precision) -> lightning_fabric.Fabric:
    """Starts Fabric with the device, precision and data parallelism."""
    use_exact_products()
    # On GPUs, Fabric prints the advice to compute products with fewer digits.
    logging.getLogger("lightning_fabric").setLevel(logging.WARNING)
    fabric = lightning_fabric.Fabric(
        accelerator=device(gpus).type,
        devices=max(gpus, 1),
        strategy=DDPStrategy(gradient_as_bucket_view=True, broadcast_buffers=False)
        if gpus > 1
        else "auto",
        precision="bf16-mixed" if precision == "bfloat16" else "32-true",
        plugins=LightningEnvironment(),  # Fabric itself starts the processes, also in a Slurm job
    )
    fabric.launch()
    return fabric


def _mix(*numbers: int) -> int:
    """Computes one well-mixed 63-bit seed from several small numbers."""
    return int(np.random.SeedSequence(numbers).generate_state(1, np.uint64)[0] >> 1)


def _event_writer(directory: Path, step: int) -> SummaryWriter:
    """Opens the TensorBoard events of this training; a new start deletes earlier ones."""
    if step == 0 and directory.is_dir():
        for file in directory.glob("events.out.tfevents.*"):
            file.unlink()
    with writing_errors(directory):
        return SummaryWriter(str(directory), purge_step=step or None)


def _tell(
    history: History, events: SummaryWriter | None, bar: tqdm[Any], alarms: Sequence[Alarm]
) -> None:
    """Writes the last row of the history as events, and warnings to the log (first process)."""
    if events is None:
        return
    row = history[-1]
    with writing_errors(Path(events.log_dir)):
        for name, value in row.items():
            if name not in ("step", "epoch"):
                events.add_scalar(name, value, int(row["step"]))
    for message in filter(None, (alarm.message(history) for alarm in alarms)):
        bar.write(f"warning: {bar.desc}: step {row['step']}: {message}", file=sys.stderr)
