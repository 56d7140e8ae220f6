"""Trains the segmentation network on the pseudo labels of the training images."""

import argparse
from pathlib import Path

from wsss_core.data.dataset import open_dataset
from wsss_core.runtime.errors import run_command
from wsss_core.training.inputs import mask_digest, picture_digests
from wsss_core.training.program import run_once, training_parser


def main() -> None:
    """Reads directories of pseudo labels; writes the network and its loss curve."""
    parser = training_parser(__doc__)
    parser.add_argument("--pseudo-labels", type=Path, nargs="+", required=True, help="PNG folders")
    args = parser.parse_args()
    dataset = open_dataset(args.dataset)
    masks = mask_digest(args.pseudo_labels, dataset, what="pseudo label")
    run_once(args, train, reads={**picture_digests(dataset), "pseudo_labels": masks})


def train(args: argparse.Namespace, key: str) -> None:
    """Runs the training, if it is not in the store."""
    from wsss_core.config.segmenter import SegmenterConfig
    from wsss_core.stages.train_segmenter import prepare_training, segmenter_metadata
    from wsss_core.training.run import run_training

    config = SegmenterConfig.model_validate_json(args.config)
    dataset = open_dataset(args.dataset)
    given = {"init": args.init, "gpus": args.gpus, "seed": args.seed}
    model, samples = prepare_training(config, dataset, args.pseudo_labels, **given)
    run_training(
        args,
        key,
        model,
        samples,
        config=config,
        metadata=segmenter_metadata(config, dataset.class_names),
        desc="train segmenter",
    )


if __name__ == "__main__":
    run_command(main)
