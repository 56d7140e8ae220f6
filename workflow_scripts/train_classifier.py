"""Trains the classifier of a method on image-level labels."""

import argparse
from pathlib import Path

from wsss_core.data.dataset import open_dataset
from wsss_core.runtime.errors import run_command
from wsss_core.training.inputs import classifier_digests
from wsss_core.training.program import run_once, training_parser


def main() -> None:
    """Reads images, labels and, for some kinds, boundaries; writes network and loss curve."""
    parser = training_parser(__doc__)
    parser.add_argument("--method", required=True, help="name of the method")
    parser.add_argument("--boundaries", type=Path, nargs="*", default=[], help="label PNG folders")
    parser.add_argument("--canny", type=Path, help="folder of Canny edges")
    args = parser.parse_args()
    reads = classifier_digests(open_dataset(args.dataset), args.boundaries, args.canny)
    run_once(args, train, reads=reads)


def train(args: argparse.Namespace, key: str) -> None:
    """Runs the training, if it is not in the store."""
    from wsss_core.methods.kinds import read_training
    from wsss_core.stages.train_classifier import classifier_metadata, prepare_training
    from wsss_core.training.run import run_training

    config = read_training(args.config)
    dataset = open_dataset(args.dataset)
    learnt = {"boundaries": args.boundaries, "canny": args.canny}
    model, samples = prepare_training(config, dataset, init=args.init, seed=args.seed, **learnt)
    run_training(
        args,
        key,
        model,
        samples,
        config=config.training,
        metadata=classifier_metadata(config, dataset.class_names),
        desc=f"train_classifier {args.method}",
    )


if __name__ == "__main__":
    run_command(main)
