"""Trains the segmentation network on the pseudo labels of the training images."""

import argparse
import shutil
from pathlib import Path

import torch

from wsss_core.config.segmenter import SegmenterConfig
from wsss_core.data.dataset import TRAIN_SPLIT, open_dataset
from wsss_core.data.weights import save_weights
from wsss_core.runtime.errors import UserError, run_command
from wsss_core.stages.train_segmenter import (
    SegmenterSamples,
    SegmenterTraining,
    check_batch,
    find_pseudo_labels,
    pseudo_labels_digest,
    segmenter_metadata,
    start_segmenter,
)
from wsss_core.training.checkpoint import state_key
from wsss_core.training.loop import train, write_history
from wsss_core.training.model_card import model_card


def main() -> None:
    """Reads directories of pseudo labels and writes the network and its loss curve."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--dataset", type=Path, required=True, help="prepared dataset")
    parser.add_argument(
        "--pseudo-labels", type=Path, nargs="+", required=True, help="directories of <image>.png"
    )
    parser.add_argument("--init", type=Path, help="weights file to start from; default: ImageNet")
    parser.add_argument("--seed", type=int, default=0, help="of all randomness")
    parser.add_argument("--gpus", type=int, default=0, help="0 trains on the CPU")
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument(
        "--checkpoint-minutes", type=float, default=10.0, help="the state is saved that often"
    )
    parser.add_argument("--log-every", type=int, default=10, help="steps of a row of the history")
    parser.add_argument("--code", default="", help="digest of the code; part of the resume key")
    parser.add_argument("--output", type=Path, required=True, help="weights file")
    parser.add_argument("--history", type=Path, required=True, help="loss curve (CSV)")
    parser.add_argument("--trace", type=Path, help="trace of ten steps to write")
    parser.add_argument("--config", required=True, help="section 'segmenter' as JSON")
    args = parser.parse_args()
    config = SegmenterConfig.model_validate_json(args.config)
    if config.init not in ("imagenet", "coco") and args.init is None:
        raise UserError("--init: the config does not start from imagenet, expected a weights file")
    check_batch(config, gpus=args.gpus)

    dataset = open_dataset(args.dataset)
    labels = find_pseudo_labels(args.pseudo_labels, dataset.split(TRAIN_SPLIT))
    torch.manual_seed(args.seed)
    network = start_segmenter(config, num_classes=1 + len(dataset.class_names), init=args.init)
    samples = SegmenterSamples(dataset, labels, config=config, fill=network.backbone.fill)
    work_dir = args.output.parent / "state"
    backbone = config.backbone.weights_file if config.init == "imagenet" else None
    inputs = (
        dataset.class_names,
        pseudo_labels_digest(labels),
        *filter(None, [args.init or backbone]),
    )
    model = SegmenterTraining(network)
    history = train(
        model,
        samples,
        config=config,
        loss_weights=model.loss_weights,
        seed=args.seed,
        gpus=args.gpus,
        threads=args.threads,
        work_dir=work_dir,
        checkpoint_minutes=args.checkpoint_minutes,
        log_every=args.log_every,
        key=state_key(args.code, config.model_dump_json(), args.seed, *inputs),
        desc="Segmenter",
        trace=args.trace,
    )
    write_history(args.history, history)
    metadata = segmenter_metadata(config, dataset.class_names)
    metadata |= model_card(network.backbone, seed=args.seed, code=args.code)
    save_weights(args.output, network.state_dict(), metadata)
    shutil.rmtree(work_dir, ignore_errors=True)


if __name__ == "__main__":
    run_command(main)
