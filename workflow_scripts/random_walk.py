"""Computes the pseudo labels of one shard: spreads CAMs along learned affinities."""

import argparse
from pathlib import Path
from typing import get_args

import torch

from wsss_core.config.precision import AskedPrecision
from wsss_core.config.random_walk import RandomWalkConfig
from wsss_core.data.computed_in import ComputedIn, mask_notes
from wsss_core.data.dataset import open_dataset
from wsss_core.data.images import write_mask
from wsss_core.data.score_maps import ScoreReader
from wsss_core.models.inference import start_inference
from wsss_core.pretrained.files import read_metadata
from wsss_core.runtime.atomic import atomic_dir
from wsss_core.runtime.devices import device
from wsss_core.runtime.errors import run_command
from wsss_core.runtime.profiling import profiled
from wsss_core.runtime.progress import progress
from wsss_core.stages.random_walk import load_affinity_net, pseudo_labels


def main() -> None:
    """Reads AffinityNet and a file of CAMs and writes a directory of <image>.png."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--dataset", type=Path, required=True, help="prepared dataset")
    parser.add_argument("--weights", type=Path, required=True, help="weights of train_affinity")
    parser.add_argument("--cams", type=Path, required=True, help="score file of kind 'cam'")
    parser.add_argument("--gpus", type=int, default=0, help="0 computes on the CPU")
    parser.add_argument("--precision", choices=get_args(AskedPrecision), default="float32")
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--output", type=Path, required=True, help="directory of pseudo labels")
    parser.add_argument("--trace", type=Path, help="trace of ten images to write")
    parser.add_argument("--config", default="{}", help="section 'random_walk' as JSON")
    args = parser.parse_args()
    config = RandomWalkConfig.model_validate_json(args.config)

    torch.set_num_threads(args.threads)
    dataset = open_dataset(args.dataset)
    cams = ScoreReader([args.cams], kind="cam", class_names=dataset.class_names)
    place = device(args.gpus)
    net = load_affinity_net(args.weights, dataset.class_names)
    precision = start_inference(net, args.precision, place)
    labels = pseudo_labels(net, dataset, cams, config=config, precision=precision)
    labels = profiled(labels, args.trace)
    notes = mask_notes(ComputedIn(read_metadata(args.weights).get("precision"), precision))
    with atomic_dir(args.output) as directory:
        for image_id, label in progress(labels, total=len(cams.image_ids), desc="random walk"):
            write_mask(directory / f"{image_id}.png", label, notes=notes)


if __name__ == "__main__":
    run_command(main)
