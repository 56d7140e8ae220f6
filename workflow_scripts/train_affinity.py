"""Trains AffinityNet on the CRF seeds of the training images."""

import argparse
from pathlib import Path

from wsss_core.data.dataset import open_dataset
from wsss_core.runtime.errors import run_command
from wsss_core.training.inputs import picture_digests, seed_digest
from wsss_core.training.program import run_once, training_parser


def main() -> None:
    """Reads all files of seeds; writes the network and its loss curve."""
    parser = training_parser(__doc__)
    parser.add_argument("--seeds", type=Path, nargs="+", required=True, help="files of kind 'seed'")
    args = parser.parse_args()
    dataset = open_dataset(args.dataset)
    seeds = seed_digest(args.seeds, dataset)
    run_once(args, train, reads={**picture_digests(dataset), "seeds": seeds})


def train(args: argparse.Namespace, key: str) -> None:
    """Runs the training, if it is not in the store."""
    from wsss_core.config.affinity import AffinityConfig
    from wsss_core.stages.train_affinity import affinity_metadata, prepare_training
    from wsss_core.training.run import run_training

    config = AffinityConfig.model_validate_json(args.config)
    dataset = open_dataset(args.dataset)
    model, samples = prepare_training(config, dataset, args.seeds, init=args.init, seed=args.seed)
    run_training(
        args,
        key,
        model,
        samples,
        config=config,
        metadata=affinity_metadata(config, dataset.class_names),
        desc="train affinity",
    )


if __name__ == "__main__":
    run_command(main)
