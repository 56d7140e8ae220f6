"""Trains the classifier of a method: CAM, SEAM, or SEAM with the smoothing branch."""

import argparse
import shutil
from collections.abc import Sequence
from pathlib import Path

import torch

from wsss_core.config.classifier import ClassifierTraining
from wsss_core.config.init_file import InitFile
from wsss_core.config.training import TrainingConfig
from wsss_core.data.dataset import open_dataset
from wsss_core.data.weights import save_weights
from wsss_core.runtime.errors import UserError, run_command
from wsss_core.stages.train_classifier import ClassifierSamples, build_classifier_training
from wsss_core.training.checkpoint import state_key
from wsss_core.training.loop import train, write_history
from wsss_core.training.model_card import model_card


def main() -> None:
    """Runs the program."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--dataset", type=Path, required=True, help="prepared dataset")
    parser.add_argument("--method", required=True, help="name of the method, for the log")
    parser.add_argument("--seed", type=int, required=True)
    parser.add_argument("--init", type=Path, help="weights file to start from; default: ImageNet")
    parser.add_argument("--boundaries", type=Path, nargs="*", default=[], help="label PNG folders")
    parser.add_argument("--canny", type=Path, help="folder of Canny edges")
    parser.add_argument("--gpus", type=int, default=0)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument(
        "--checkpoint-minutes", type=float, default=10.0, help="the state is saved that often"
    )
    parser.add_argument("--log-every", type=int, default=10, help="steps of a row of the history")
    parser.add_argument("--code", default="", help="digest of the code, part of the resume key")
    parser.add_argument("--output", type=Path, required=True, help="weights file to write")
    parser.add_argument("--history", type=Path, required=True, help="loss curve to write")
    parser.add_argument("--trace", type=Path, help="trace of ten steps to write")
    parser.add_argument("--config", required=True, help="JSON: classifier and method")
    args = parser.parse_args()

    config = ClassifierTraining.model_validate_json(args.config)
    if args.init is None and isinstance(config.method.init, InitFile):
        raise UserError(f"--init: the method starts from {config.method.init.weights}")
    check_smoothing_inputs(config, boundaries=args.boundaries, canny=args.canny)
    dataset = open_dataset(args.dataset)
    torch.manual_seed(args.seed)
    model = build_classifier_training(config, len(dataset.class_names), init=args.init)
    samples = ClassifierSamples(
        dataset,
        config.classifier,
        fill=model.net.backbone.fill,
        boundary_dirs=args.boundaries,
        map_radius=map_radius(config),
        canny_dir=args.canny,
    )
    work_dir = args.output.parent / "state"
    inputs = [args.dataset / "labels.csv", args.dataset / "image_digests.csv"]
    inputs += filter(None, [args.init or config.classifier.backbone.weights_file])
    for directory in (*args.boundaries, *filter(None, [args.canny])):
        inputs += sorted(directory.glob("*.png"))
    history = train(
        model,
        samples,
        config=TrainingConfig(
            epochs=config.method.epochs,
            batch_size=config.classifier.batch_size,
            optim=config.classifier.optim,
        ),
        loss_weights=model.loss_weights,
        seed=args.seed,
        schedule_epochs=config.method.schedule_epochs,
        gpus=args.gpus,
        threads=args.threads,
        work_dir=work_dir,
        checkpoint_minutes=args.checkpoint_minutes,
        log_every=args.log_every,
        key=state_key(args.code, args.config, args.seed, samples.image_ids, *inputs),
        desc=f"train_classifier {args.method}",
        alarms=model.alarms,
        trace=args.trace,
    )
    metadata = {
        "network": "classifier",
        "config": config.model_dump(mode="json"),
        "class_names": list(dataset.class_names),
        "method": args.method,
    }
    metadata |= model_card(model.net.backbone, seed=args.seed, code=args.code)
    save_weights(args.output, model.net.state_dict(), metadata)
    write_history(args.history, history)
    shutil.rmtree(work_dir, ignore_errors=True)


def check_smoothing_inputs(
    config: ClassifierTraining, *, boundaries: Sequence[Path], canny: Path | None
) -> None:
    """Raises UserError where the method's smoothing branch lacks an input."""
    smoothing = config.method.smoothing
    if smoothing is None:
        return
    if not boundaries:
        raise UserError(
            "--boundaries: the method has a smoothing branch, expected label PNG folders"
        )
    if smoothing.canny and config.canny.input == "rgb" and canny is None:
        raise UserError("--canny: the method's smoothing.canny is true, expected a folder of edges")


def map_radius(config: ClassifierTraining) -> int | None:
    """Half width of the boundaries, if it is their maps that are resized."""
    smoothing = config.method.smoothing
    if smoothing is None or smoothing.boundary_resize == "labels":
        return None
    return smoothing.boundary_radius


if __name__ == "__main__":
    run_command(main)
