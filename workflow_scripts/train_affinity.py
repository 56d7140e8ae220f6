"""Trains AffinityNet on the CRF seeds of the training images."""

from pathlib import Path

import torch

from wsss_core.config.affinity import AffinityConfig
from wsss_core.data.dataset import open_dataset
from wsss_core.data.score_maps import ScoreReader
from wsss_core.runtime.errors import UserError, run_command
from wsss_core.stages.train_affinity import (
    AffinitySamples,
    AffinityTraining,
    affinity_metadata,
    start_affinity_net,
)
from wsss_core.training.program import run_training, training_parser


def main() -> None:
    """Reads all files of seeds and writes the network and its loss curve."""
    parser = training_parser(__doc__)
    parser.add_argument("--seeds", type=Path, nargs="+", required=True, help="files of kind 'seed'")
    args = parser.parse_args()
    config = AffinityConfig.model_validate_json(args.config)
    if config.init is not None and args.init is None:
        raise UserError(f"--init: the network starts from {config.init.weights}")
    dataset = open_dataset(args.dataset)
    seeds = ScoreReader(args.seeds, kind="seed", class_names=dataset.class_names)
    torch.manual_seed(args.seed)
    net = start_affinity_net(config, init=args.init)
    run_training(
        args,
        AffinityTraining(net),
        AffinitySamples(dataset, seeds, config=config, grid_of=net.grid, fill=net.backbone.fill),
        config=config,
        inputs=[*args.seeds, args.init or config.backbone.weights_file],
        metadata=affinity_metadata(config, dataset.class_names),
        desc="train affinity",
    )


if __name__ == "__main__":
    run_command(main)
