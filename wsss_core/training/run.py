"""One training from its start to its files, as its program was told."""

from __future__ import annotations

import argparse
import gc
from collections.abc import Mapping
from typing import Any, cast

import torch
from torch import nn

from wsss_core.config.training import TrainingConfig
from wsss_core.data.weights import save_weights
from wsss_core.models.backbone import Backbone
from wsss_core.models.precision import choose_precision
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
    """Trains a model, then writes its loss curve and its network's weights file.

    Args:
        args: Of `training_parser`.
        key: An unfinished training goes on if this, and the precision, are the same.
        model: The network with its losses.
        samples: What it is trained on.
        config: Epochs, effective batch size, optimiser.
        metadata: What the network is rebuilt from; the model card is added.
        desc: Name shown by the progress bar.
    """
    gc.enable()
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
        work_dir=state_dir(args),
        checkpoint_minutes=args.checkpoint_minutes,
        log_every=args.log_every,
        key=f"{key} {precision}",
        desc=desc,
        alarms=model.alarms,
        trace=args.trace,
    )
    net = model.net
    write_history(args.history, history)
    used = precision if config.epochs else None
    card = model_card(
        net.backbone,
        seed=args.seed,
        code=args.code,
        precision=used,
        device=place,
        dataset=args.dataset,
    )
    save_weights(args.output, net.state_dict(), {**metadata, **card})


def _is_dense(model: TrainableModel) -> bool:
    """Whether a CPU with units for bfloat16 trains this model faster in it.

    ResNet38d's steps take half the time with AVX512-BF16. EfficientNet-Lite0's take as long: its
    depthwise convolutions are no products of matrices.
    """
    modules = cast(nn.Module, model).modules()
    return any(isinstance(module, Backbone) and module.is_dense for module in modules)
