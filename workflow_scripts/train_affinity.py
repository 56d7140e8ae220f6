"""Trains AffinityNet on the CRF seeds of the training images."""

import argparse
import shutil
from pathlib import Path

import torch

from wsss_core.config.affinity import AffinityConfig
from wsss_core.data.dataset import open_dataset
from wsss_core.data.score_maps import ScoreReader
from wsss_core.data.weights import save_weights
from wsss_core.runtime.errors import UserError, run_command
from wsss_core.stages.train_affinity import (
    LOSS_WEIGHTS,
    AffinitySamples,
    AffinityTraining,
    affinity_metadata,
    seeds_digest,
    start_affinity_net,
)
from wsss_core.training.checkpoint import state_key
from wsss_core.training.loop import train, write_history
from wsss_core.training.model_card import model_card


def main() -> None:
    """Reads all files of seeds and writes the network and its loss curve."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--dataset", type=Path, required=True, help="prepared dataset")
    parser.add_argument("--seeds", type=Path, nargs="+", required=True, help="files of kind 'seed'")
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
    parser.add_argument("--config", required=True, help="section 'affinity' as JSON")
    args = parser.parse_args()
    config = AffinityConfig.model_validate_json(args.config)
    if config.init is not None and args.init is None:
        raise UserError(f"--init: the network starts from {config.init.weights}")

    dataset = open_dataset(args.dataset)
    seeds = ScoreReader(args.seeds, kind="seed", class_names=dataset.class_names)
    torch.manual_seed(args.seed)
    net = start_affinity_net(config, init=args.init)
    samples = AffinitySamples(
        dataset, seeds, config=config, cell=net.stride, fill=net.backbone.fill
    )
    inputs = (seeds_digest(args.seeds), *filter(None, [args.init or config.backbone.weights_file]))
    work_dir = args.output.parent / "state"
    history = train(
        AffinityTraining(net),
        samples,
        config=config,
        loss_weights=LOSS_WEIGHTS,
        seed=args.seed,
        gpus=args.gpus,
        threads=args.threads,
        work_dir=work_dir,
        checkpoint_minutes=args.checkpoint_minutes,
        log_every=args.log_every,
        key=state_key(args.code, config.model_dump_json(), args.seed, *inputs),
        desc="train affinity",
        trace=args.trace,
    )
    write_history(args.history, history)
    metadata = affinity_metadata(config, dataset.class_names)
    metadata |= model_card(net.backbone, seed=args.seed, code=args.code)
    save_weights(args.output, net.state_dict(), metadata)
    shutil.rmtree(work_dir, ignore_errors=True)


if __name__ == "__main__":
    run_command(main)
