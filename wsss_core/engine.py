"""The training loop of every network: one loop, resumable at any step.

Nothing random outlives a step: the order of samples follows from (seed, epoch), a sample's
augmentation from (seed, epoch, index), dropout from (seed, step). So the state to resume from is
model, optimiser and step number, and a resumed run ends with the weights of an uninterrupted one.
"""

from __future__ import annotations

import hashlib
import signal
import sys
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, NoReturn, Protocol, cast

import lightning_fabric
import numpy as np
import pandas as pd
import torch
from lightning_fabric.plugins.environments.lightning import LightningEnvironment
from lightning_fabric.strategies.ddp import DDPStrategy
from torch import Tensor, nn
from torch.utils.data import DataLoader, Dataset
from torch.utils.tensorboard import SummaryWriter
from tqdm import tqdm

from wsss_core.atomic import atomic_file
from wsss_core.config.training import TrainingConfig
from wsss_core.devices import device
from wsss_core.errors import UserError
from wsss_core.optim import build_optimizer, poly_lr
from wsss_core.progress import progress
from wsss_core.watch import TOTAL, Alarm, LossWatch
from wsss_core.workers import start_worker

LOG_EVERY = 10  # steps between rows of the history; when losses leave the device and are checked
CHECKPOINT_SECONDS = 300.0

History = list[dict[str, float]]
Batch = dict[str, Tensor]


class Samples(Protocol):
    """What a training reads: samples by index, augmented by the generator that is passed in."""

    @property
    def image_ids(self) -> Sequence[str]:
        """The image of each sample."""
        ...

    def __len__(self) -> int: ...

    def sample(self, index: int, rng: np.random.Generator) -> Batch:
        """Tensors of one sample by name; equal shapes over all samples."""
        ...


class TrainableModel(Protocol):
    """A network wrapped with its losses, so that one forward call holds the whole loss."""

    def __call__(self, batch: Batch) -> dict[str, Tensor]:
        """Unweighted losses by name, each a scalar; one without a weight is a measure to log."""
        ...

    def param_groups(self) -> dict[str, list[nn.Parameter]]:
        """Parameters of the pretrained 'backbone' and of the new 'head'."""
        ...


class Interrupted(SystemExit):
    """Training was asked to stop; its state is saved."""


def state_key(*parts: object) -> str:
    """Digest of whatever makes an unfinished training state reusable: code, config, inputs.

    Args:
        parts: Values by their text; files (Path) by their content.
    """
    digest = hashlib.sha256()
    for part in parts:
        content = part.read_bytes() if isinstance(part, Path) else str(part).encode()
        digest.update(hashlib.sha256(content).digest())
    return digest.hexdigest()[:16]


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
    schedule_epochs: int | None = None,
    gpus: int,
    threads: int,
    work_dir: Path,
    key: str,
    desc: str,
    alarms: Sequence[Alarm] = (),
) -> History:
    """Trains `model` in place.

    Args:
        model: A `TrainableModel`.
        samples: What it is trained on.
        config: Epochs, effective batch size, optimiser.
        loss_weights: Factor of each loss that `model` returns; others are measures.
        seed: Decides order, augmentation and dropout.
        schedule_epochs: Epochs after which the learning rate would be zero; None: after the last.
        gpus: Number of GPUs; 0 trains on the CPU. With several, each has a process of its own, and
            only the first one returns: what the caller does with the weights happens once.
        threads: CPU threads for computing and loading together, of all processes.
        work_dir: Keeps the state of an unfinished training.
        key: A state saved under another key is ignored.
        desc: Name shown by the progress bar.
        alarms: Measures that are warned of.

    Returns:
        One row per `LOG_EVERY` steps: step, epoch, lr, loss, and the mean of each loss and measure
        (with several GPUs, over the first one's share of the batches).

    Raises:
        UserError: The batch has fewer samples than there are GPUs, or a loss or a gradient is
            no longer finite. Then the state stays as it was last saved, when they were.
        Interrupted: SIGTERM or SIGINT came; the state is saved.
    """
    fabric = _fabric(gpus)
    threads = max(1, threads // fabric.world_size)
    torch.set_num_threads(threads)
    schedule = _Schedule(len(samples), config.batch_size, config.epochs, seed)
    lr_steps = (schedule_epochs or config.epochs) * schedule.steps_per_epoch
    optimizer = build_optimizer(cast(TrainableModel, model).param_groups(), config.optim)
    wrapped, stepper = fabric.setup(model.to(memory_format=torch.channels_last), optimizer)
    state = _State(work_dir / "state.pt", key, model, optimizer)
    step = state.load()
    history = state.history
    loader = fabric.setup_dataloaders(
        _loader(samples, schedule, step, fabric, threads), use_distributed_sampler=False
    )
    events = None
    if fabric.is_global_zero:
        events = _event_writer(work_dir.parent / "tensorboard", step)
    watch = LossWatch(fabric, optimizer)
    share = schedule.share(fabric)
    wrapped.train()
    bar = progress(loader, total=schedule.steps, initial=step, desc=desc, unit="step")
    bar.disable = bar.disable or not fabric.is_global_zero
    with _StopRequest() as stop:
        for batch in bar:
            _scale_lr(optimizer, poly_lr(step, lr_steps, config.optim.poly_power))
            torch.manual_seed(_mix(seed, step, fabric.global_rank))
            losses = wrapped(batch)
            total = sum(weight * losses[name] for name, weight in loss_weights.items())
            fabric.backward(total * share)
            watch.add({TOTAL: total, **losses})
            stepper.step()
            stepper.zero_grad(set_to_none=True)
            step += 1
            ends = step % LOG_EVERY == 0 or step == schedule.steps
            # Several processes pause together: one that did so alone, or left a step earlier, would
            # wait for the others, or they for its gradients, for ever.
            alone = fabric.world_size == 1
            if not ends and not (alone and (stop.requested or state.is_due())):
                continue
            means, fault = watch.look()
            if fault is not None:
                at = step - fault.steps_ago
                images = [samples.image_ids[index] for _, index in schedule.batch(at - 1)]
                _leave(fabric, _not_finite(f"{desc}: step {at}: {fault.what}", images))
            if ends:
                row = {"step": step, "epoch": step / schedule.steps_per_epoch}
                history.append(row | {"lr": optimizer.param_groups[0]["lr"], **means})
                watch.forget()
                bar.set_postfix(loss=f"{means[TOTAL]:.3f}", refresh=False)
                if events is not None:
                    _tell(history, events, bar, alarms)
            stops = stop.agreed(fabric)
            if fabric.is_global_zero and (stops or state.is_due()):
                state.save(step)
            if stops:
                _leave(fabric, Interrupted(128 + stop.requested))
    if events is None:
        raise SystemExit(0)
    events.close()
    return history


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


def _fabric(gpus: int) -> lightning_fabric.Fabric:
    """Device, precision and data parallelism; bf16 autocast on GPUs."""
    torch.set_float32_matmul_precision("high")
    fabric = lightning_fabric.Fabric(
        accelerator=device(gpus).type,
        devices=max(gpus, 1),
        strategy=DDPStrategy(gradient_as_bucket_view=True, broadcast_buffers=False)
        if gpus > 1
        else "auto",
        precision="bf16-mixed" if gpus else "32-true",
        plugins=LightningEnvironment(),  # starts the processes itself, inside a Slurm job too
    )
    fabric.launch()
    return fabric


def _mix(*numbers: int) -> int:
    """One well-mixed 63-bit seed from several small numbers."""
    return int(np.random.SeedSequence(numbers).generate_state(1, np.uint64)[0] >> 1)


class _Schedule:
    """Which samples make up which step."""

    def __init__(self, num_samples: int, batch_size: int, epochs: int, seed: int) -> None:
        self.num_samples = num_samples
        self.batch_size = min(batch_size, num_samples)
        self.steps_per_epoch = num_samples // self.batch_size
        self.steps = epochs * self.steps_per_epoch
        self.seed = seed

    def share(self, fabric: lightning_fabric.Fabric) -> float:
        """Weight of this process's mean loss, so that every sample of a batch counts alike.

        Gradients are averaged over the processes, whose parts of the batch differ by one sample
        where the batch size is no multiple of their number.
        """
        own = len(range(fabric.global_rank, self.batch_size, fabric.world_size))
        return own * fabric.world_size / self.batch_size

    def batch(self, step: int) -> list[tuple[int, int]]:
        """(epoch, index) pairs of one step."""
        return next(self.batches(step))

    def batches(self, start: int) -> Iterator[list[tuple[int, int]]]:
        """(epoch, index) pairs of each step from `start` on; the last partial batch is dropped."""
        for epoch in range(start // self.steps_per_epoch, self.steps // self.steps_per_epoch):
            order = np.random.default_rng((self.seed, epoch)).permutation(self.num_samples)
            first = max(0, start - epoch * self.steps_per_epoch)
            for step in range(first, self.steps_per_epoch):
                chosen = order[step * self.batch_size : (step + 1) * self.batch_size]
                yield [(epoch, int(index)) for index in chosen]


class _SeededSamples(Dataset[Batch]):
    """Gives each sample the generator that belongs to (seed, epoch, index)."""

    def __init__(self, samples: Samples, seed: int) -> None:
        self.samples = samples
        self.seed = seed

    def __getitem__(self, key: tuple[int, int]) -> Batch:
        epoch, index = key
        return self.samples.sample(index, np.random.default_rng((self.seed, epoch, index)))


def _loader(
    samples: Samples,
    schedule: _Schedule,
    start: int,
    fabric: lightning_fabric.Fabric,
    threads: int,
) -> DataLoader[Batch]:
    """Batches from step `start` on; with several devices, each reads its share of a batch."""
    rank, world = fabric.global_rank, fabric.world_size
    if schedule.batch_size < world:
        raise UserError(
            f"batch_size: {schedule.batch_size} is less than one for each of {world} GPUs"
        )
    batches: Sequence[list[tuple[int, int]]] = [b[rank::world] for b in schedule.batches(start)]
    on_gpu = fabric.device.type == "cuda"
    return DataLoader(
        _SeededSamples(samples, schedule.seed),
        batch_sampler=batches,
        num_workers=max(1, threads - 1) if on_gpu else 1,
        worker_init_fn=start_worker,
        pin_memory=on_gpu,
        prefetch_factor=4,
    )


class _State:
    """The file an interrupted training goes on from."""

    def __init__(
        self, path: Path, key: str, model: nn.Module, optimizer: torch.optim.Optimizer
    ) -> None:
        self.path = path
        self.key = key
        self.model = model
        self.optimizer = optimizer
        self.history: History = []
        self.saved_at = time.monotonic()

    def load(self) -> int:
        """Restores model, optimiser and history; returns the step to go on with."""
        if not self.path.is_file():
            return 0
        state: dict[str, Any] = torch.load(self.path, map_location="cpu", weights_only=True)
        if state["key"] != self.key:
            return 0
        self.model.load_state_dict(state["model"])
        self.optimizer.load_state_dict(state["optimizer"])
        self.history.extend(state["history"])
        return int(state["step"])

    def is_due(self) -> bool:
        return time.monotonic() - self.saved_at > CHECKPOINT_SECONDS

    def save(self, step: int) -> None:
        """Writes the state; steps since the last history row are lost from the curve only."""
        content = {
            "key": self.key,
            "step": step,
            "model": self.model.state_dict(),
            "optimizer": self.optimizer.state_dict(),
            "history": self.history,
        }
        with atomic_file(self.path) as temporary:
            torch.save(content, temporary)
        self.saved_at = time.monotonic()


class _StopRequest:
    """Turns SIGTERM and SIGINT into a request that the loop honours after the current step."""

    def __init__(self) -> None:
        self.requested = 0

    def __enter__(self) -> _StopRequest:
        self.previous = {
            number: signal.signal(number, self._handle)
            for number in (signal.SIGTERM, signal.SIGINT)
        }
        return self

    def _handle(self, number: int, _frame: object) -> None:
        self.requested = number

    def agreed(self, fabric: lightning_fabric.Fabric) -> bool:
        """Whether any process is to stop; with several, all of them must ask."""
        if fabric.world_size > 1:
            requests = torch.tensor(self.requested, device=fabric.device)
            fabric.all_reduce(requests, reduce_op="max")  # in place
            self.requested = int(requests)
        return bool(self.requested)

    def __exit__(self, *_: object) -> None:
        for number, handler in self.previous.items():
            signal.signal(number, handler)


def _event_writer(directory: Path, step: int) -> SummaryWriter:
    """TensorBoard events of this run; a fresh start clears those of an earlier one."""
    if step == 0 and directory.is_dir():
        for file in directory.glob("events.out.tfevents.*"):
            file.unlink()
    return SummaryWriter(str(directory), purge_step=step or None)


def _tell(history: History, events: SummaryWriter, bar: tqdm[Any], alarms: Sequence[Alarm]) -> None:
    """Writes the last row of a history as events, and warnings to the log."""
    row = history[-1]
    for name, value in row.items():
        if name not in ("step", "epoch"):
            events.add_scalar(name, value, int(row["step"]))
    for message in filter(None, (alarm.message(history) for alarm in alarms)):
        bar.write(f"warning: {bar.desc}: step {row['step']}: {message}", file=sys.stderr)
