"""Trains the segmentation network on the pseudo labels of the training images."""

from pathlib import Path

import torch

from wsss_core.config.segmenter import SegmenterConfig
from wsss_core.data.dataset import TRAIN_SPLIT, open_dataset
from wsss_core.runtime.errors import run_command
from wsss_core.stages.train_segmenter import (
    SegmenterSamples,
    SegmenterTraining,
    check_segmenter,
    find_pseudo_labels,
    segmenter_metadata,
    start_segmenter,
)
from wsss_core.training.program import run_training, training_parser


def main() -> None:
    """Reads directories of pseudo labels and writes the network and its loss curve."""
    parser = training_parser(__doc__)
    parser.add_argument("--pseudo-labels", type=Path, nargs="+", required=True, help="PNG folders")
    args = parser.parse_args()
    config = SegmenterConfig.model_validate_json(args.config)
    check_segmenter(config, init=args.init, gpus=args.gpus)
    dataset = open_dataset(args.dataset)
    labels = find_pseudo_labels(args.pseudo_labels, dataset.split(TRAIN_SPLIT))
    torch.manual_seed(args.seed)
    net = start_segmenter(config, num_classes=1 + len(dataset.class_names), init=args.init)
    backbone = config.backbone.weights_file if config.init == "imagenet" else None
    run_training(
        args,
        SegmenterTraining(net),
        SegmenterSamples(dataset, labels, config=config, fill=net.backbone.fill),
        config=config,
        inputs=[dataset.class_names, *labels, *labels.values(), args.init or backbone],
        metadata=segmenter_metadata(config, dataset.class_names),
        desc="train segmenter",
    )


if __name__ == "__main__":
    run_command(main)
