"""One training from its start to its files, as its program was told."""

from __future__ import annotations

import argparse
import gc
from collections.abc import Mapping
from typing import Any, cast

from torch import nn

from wsss_core.config.training import TrainingConfig
from wsss_core.data.weights import save_weights
from wsss_core.training.batches import Samples
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
        key: An unfinished training goes on if this is the same.
        model: The network with its losses.
        samples: What it is trained on.
        config: Epochs, effective batch size, optimiser.
        metadata: What the network is rebuilt from; the model card is added.
        desc: Name shown by the progress bar.
    """
    gc.enable()
    history = train(
        cast(nn.Module, model),
        samples,
        config=config,
        loss_weights=model.loss_weights,
        seed=args.seed,
        gpus=args.gpus,
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
    card = model_card(net.backbone, seed=args.seed, code=args.code)
    save_weights(args.output, net.state_dict(), {**metadata, **card})
