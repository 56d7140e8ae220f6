"""Runs one training and writes its files."""

from __future__ import annotations

import argparse
import gc
from collections.abc import Mapping
from typing import Any, cast

import torch
from torch import nn

from wsss_core.config.training import TrainingConfig
from wsss_core.data.weights import save_weights
from wsss_core.training.batches import Samples
from wsss_core.training.broken_gradients import refuse_broken_gradients
from wsss_core.training.loop import TrainableModel, train, write_history
from wsss_core.training.model_card import model_card
from wsss_core.training.program import state_dir


def run_training(
    args: argparse.Namespace,
    key: str,
    model: TrainableModel,
    samples: Samples,
    *,
    config: TrainingConfig,
    metadata: Mapping[str, Any],
    desc: str,
) -> None:
    """Trains a model, then writes its loss curve and the weights of its network.

    Args:
        args: Options of `training_parser`.
        key: An unfinished training is resumed if this key is the same.
        model: The network with its losses.
        samples: The training samples.
        config: Epochs, effective batch size, optimiser.
        metadata: Values from which the network is rebuilt; the model card is added.
        desc: Name shown by the progress bar.
    """
    gc.enable()
    has_gpu = args.gpus > 0 and torch.cuda.is_available()  # without a GPU, `train` fails
    place = torch.device("cuda" if has_gpu else "cpu")
    if config.epochs:
        refuse_broken_gradients(cast(nn.Module, model), place)
    history = train(
        cast(nn.Module, model),
        samples,
        config=config,
        loss_weights=model.loss_weights,
        seed=args.seed,
        gpus=args.gpus,
        precision=args.precision,
        threads=args.threads,
        work_dir=state_dir(args),
        checkpoint_minutes=args.checkpoint_minutes,
        log_every=args.log_every,
        key=key,
        desc=desc,
        alarms=model.alarms,
        trace=args.trace,
    )
    net = model.net
    write_history(args.history, history)
    used = args.precision if config.epochs else None
    card = model_card(
        net.backbone,
        seed=args.seed,
        code=args.code,
        precision=used,
        device=place,
        dataset=args.dataset,
    )
    save_weights(args.output, net.state_dict(), {**metadata, **card})
