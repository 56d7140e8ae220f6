"""Trains the classifier of a method on image-level labels."""

from pathlib import Path

import torch

from wsss_core.data.dataset import open_dataset
from wsss_core.methods.kinds import read_training
from wsss_core.runtime.errors import run_command
from wsss_core.stages.train_classifier import (
    check_inputs,
    classifier_metadata,
    classifier_samples,
    start_classifier,
)
from wsss_core.training.program import run_training, training_parser


def main() -> None:
    """Reads images and labels, for some kinds boundaries; writes the network and its loss curve."""
    parser = training_parser(__doc__)
    parser.add_argument("--method", required=True, help="name of the method")
    parser.add_argument("--boundaries", type=Path, nargs="*", default=[], help="label PNG folders")
    parser.add_argument("--canny", type=Path, help="folder of Canny edges")
    args = parser.parse_args()
    config = read_training(args.config)
    check_inputs(config, init=args.init, boundaries=args.boundaries, canny=args.canny)
    dataset = open_dataset(args.dataset)
    torch.manual_seed(args.seed)
    model = start_classifier(config, len(dataset.class_names), init=args.init)
    samples = classifier_samples(dataset, config, model, args.boundaries, args.canny)
    run_training(
        args,
        model,
        samples,
        config=config.training,
        inputs=[*samples.inputs(), args.init or config.backbone.weights_file],
        metadata=classifier_metadata(config, args.method, dataset.class_names),
        desc=f"train_classifier {args.method}",
    )


if __name__ == "__main__":
    run_command(main)
