"""What the training programs have in common: options, resume key, and what they leave behind."""

from __future__ import annotations

import argparse
import shutil
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, cast, get_args

import torch
from torch import nn

from wsss_core.config.precision import AskedPrecision
from wsss_core.config.training import TrainingConfig
from wsss_core.data.weights import save_weights
from wsss_core.models.backbone import Backbone
from wsss_core.models.precision import choose_precision
from wsss_core.training.batches import Samples
from wsss_core.training.broken_gradients import refuse_broken_gradients
from wsss_core.training.checkpoint import state_key
from wsss_core.training.loop import TrainableModel, train, write_history
from wsss_core.training.model_card import model_card


def training_parser(description: str | None) -> argparse.ArgumentParser:
    """A parser with the options that every training has."""
    parser = argparse.ArgumentParser(description=description)
    parser.add_argument("--dataset", type=Path, required=True, help="prepared dataset")
    parser.add_argument("--init", type=Path, help="weights file to start from; default: ImageNet")
    parser.add_argument("--seed", type=int, default=0, help="of all randomness")
    parser.add_argument("--gpus", type=int, default=0, help="0 trains on the CPU")
    parser.add_argument("--precision", choices=get_args(AskedPrecision), default="float32")
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument(
        "--checkpoint-minutes", type=float, default=10.0, help="minutes between checkpoints"
    )
    parser.add_argument("--log-every", type=int, default=10, help="steps of a row of the history")
    parser.add_argument("--code", default="", help="digest of the code; part of the resume key")
    parser.add_argument("--output", type=Path, required=True, help="weights file to write")
    parser.add_argument("--history", type=Path, required=True, help="loss curve to write, .csv")
    parser.add_argument("--trace", type=Path, help="profiler trace of ten steps to write")
    parser.add_argument("--config", required=True, help="JSON: what the training reads of it")
    return parser


def run_training(
    args: argparse.Namespace,
    model: TrainableModel,
    samples: Samples,
    *,
    config: TrainingConfig,
    inputs: Sequence[object],
    metadata: Mapping[str, Any],
    desc: str,
) -> None:
    """Trains a model, then writes its loss curve and its network's weights file.

    Args:
        args: Of `training_parser`.
        model: The network with its losses.
        samples: What it is trained on.
        config: Epochs, effective batch size, optimiser.
        inputs: What the training learns from: files (Path) count by their content. An unfinished
            training goes on if these, the code, the config and the seed are the same.
        metadata: What the network is rebuilt from; the model card is added.
        desc: Name shown by the progress bar.
    """
    work_dir = args.output.parent / "state"
    has_gpu = args.gpus > 0 and torch.cuda.is_available()  # where there is none, training fails
    place = torch.device("cuda" if has_gpu else "cpu")
    if config.epochs:
        refuse_broken_gradients(cast(nn.Module, model), place)
    precision = choose_precision(args.precision, place, pays_on_cpu=_is_dense(model))
    history = train(
        cast(nn.Module, model),
        samples,
        config=config,
        loss_weights=model.loss_weights,
        seed=args.seed,
        gpus=args.gpus,
        precision=precision,
        threads=args.threads,
        work_dir=work_dir,
        checkpoint_minutes=args.checkpoint_minutes,
        log_every=args.log_every,
        key=state_key(args.code, args.config, args.seed, precision, *inputs),
        desc=desc,
        alarms=model.alarms,
        trace=args.trace,
    )
    net = model.net
    write_history(args.history, history)
    used = precision if config.epochs else None
    card = model_card(net.backbone, seed=args.seed, code=args.code, precision=used)
    save_weights(args.output, net.state_dict(), {**metadata, **card})
    shutil.rmtree(work_dir, ignore_errors=True)


def _is_dense(model: TrainableModel) -> bool:
    """Whether a CPU with units for bfloat16 trains this model faster in it.

    ResNet38d's steps take half the time with AVX512-BF16. EfficientNet-Lite0's take as long: its
    depthwise convolutions are no products of matrices.
    """
    modules = cast(nn.Module, model).modules()
    return any(isinstance(module, Backbone) and module.is_dense for module in modules)
