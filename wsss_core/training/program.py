"""The common part of all training programs: options, and the reuse of finished trainings.

Like `inputs`, this module imports quickly.
"""

from __future__ import annotations

import argparse
import gc
import json
import os
import shutil
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, get_args

from wsss_core.config.init_file import local_file
from wsss_core.config.precision import AskedPrecision
from wsss_core.pretrained.note import check_unchanged, read_note
from wsss_core.runtime.atomic import writing_errors
from wsss_core.runtime.errors import UserError
from wsss_core.runtime.file_digest import file_digest
from wsss_core.runtime.lock import exclusive
from wsss_core.training.inputs import is_file, without_places
from wsss_core.training.key_precision import precision_here
from wsss_core.training.store import keep, take, training_key
from wsss_core.workflow.gpu_lease import take_gpus


def training_parser(description: str | None) -> argparse.ArgumentParser:
    """Builds a parser with the options of every training."""
    parser = argparse.ArgumentParser(description=description)
    parser.add_argument("--dataset", type=Path, required=True, help="prepared dataset")
    parser.add_argument("--init", type=Path, help="weights file to start from; default: ImageNet")
    parser.add_argument("--seed", type=int, default=0, help="random seed")
    parser.add_argument("--gpus", type=int, default=0, help="number of GPUs; 0 trains on the CPU")
    parser.add_argument("--precision", choices=get_args(AskedPrecision), default="float32")
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument(
        "--checkpoint-minutes", type=float, default=10.0, help="minutes between checkpoints"
    )
    parser.add_argument("--log-every", type=int, default=10, help="steps per row of the loss curve")
    parser.add_argument("--code", default="", help="digest of the code")
    parser.add_argument("--note", type=Path, help="note of obtain_weights on these weights")
    parser.add_argument("--store", type=Path, help="folder of finished trainings; default: none")
    parser.add_argument("--output", type=Path, required=True, help="weights file to write")
    parser.add_argument("--history", type=Path, required=True, help="loss curve to write (.csv)")
    parser.add_argument("--trace", type=Path, help="profiler trace of ten steps to write")
    parser.add_argument("--config", required=True, help="the config keys of this training, as JSON")
    return parser


def run_once(
    args: argparse.Namespace,
    train: Callable[[argparse.Namespace, str], None],
    *,
    reads: Mapping[str, object],
) -> None:
    """Takes a finished training from the store. If there is none, trains and stores the result.

    Args:
        args: Options of `training_parser`.
        train: Writes args.output and args.history. Its second argument is the key under which the
            state of an unfinished training is saved.
        reads: Digests of the training's inputs by name, without the initial weights.
    """
    if args.store is not None and not args.code:
        raise UserError("--store: expected --code too, to notice changes of the code")
    config = json.loads(args.config)
    args.precision = precision_here(args.precision, gpus=args.gpus)
    made_of = {
        "code": args.code,
        "seed": args.seed,
        "precision": args.precision,
        "config": without_places(config),
        "reads": {**reads, "start": _start_digest(args, config)},
    }
    key = training_key(made_of)
    # This is one of several processes. The first one has found nothing in the store and has started
    # the others, which end inside `train`.
    if "LOCAL_RANK" in os.environ:
        train(args, key)
    elif args.store is None:
        _train_on_gpus(args, train, key=key)
    else:
        _take_or_train(args, train, key=key, made_of=made_of)
    shutil.rmtree(state_dir(args), ignore_errors=True)


def state_dir(args: argparse.Namespace) -> Path:
    """Returns the folder for the state of an unfinished training."""
    return args.output.parent / "state"


def _take_or_train(
    args: argparse.Namespace,
    train: Callable[[argparse.Namespace, str], None],
    *,
    key: str,
    made_of: Mapping[str, object],
) -> None:
    entry, files = args.store / key, {"weights.pt": args.output, "history.csv": args.history}
    with writing_errors(entry):
        args.store.mkdir(parents=True, exist_ok=True)
    with exclusive(entry):
        if take(entry, files):
            sys.stderr.write(f"{args.output}: trained before; taken from {entry}\n")
            return
        if args.note is not None:
            check_unchanged(read_note(args.note))
        _train_on_gpus(args, train, key=key)
        try:
            keep(entry, files, made_of)
        except OSError as error:
            sys.stderr.write(f"warning: {entry}: not kept for other runs ({error})\n")


def _train_on_gpus(
    args: argparse.Namespace, train: Callable[[argparse.Namespace, str], None], *, key: str
) -> None:
    """Trains on GPUs that no other job uses; a training from the store does not wait for GPUs."""
    take_gpus(args.gpus)
    gc.disable()  # until `run_training`: faster while torch is imported (workflow_scripts)
    try:
        train(args, key)
    finally:
        gc.enable()


def _start_digest(args: argparse.Namespace, config: Mapping[str, Any]) -> str | None:
    """Computes a digest of the initial weights; None if they follow from the config."""
    if args.note is not None:
        return read_note(args.note).sha256
    backbone = config.get("classifier", config)["backbone"]
    weights = backbone.get("weights")
    path = args.init or (local_file(weights) if is_file(weights) else None)
    return file_digest(path) if path is not None and path.is_file() else None
