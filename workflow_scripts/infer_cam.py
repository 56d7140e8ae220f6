"""Computes the class activation maps of one shard of images."""

import argparse
from pathlib import Path
from typing import cast, get_args

import torch
from torch import nn

from wsss_core.config.cam import CamConfig
from wsss_core.config.precision import AskedPrecision
from wsss_core.data.computed_in import ComputedIn
from wsss_core.data.dataset import open_dataset, part_ids, shard_ids
from wsss_core.data.score_maps import ScoreWriter
from wsss_core.methods.kinds import load_classifier
from wsss_core.models.inference import start_inference
from wsss_core.pretrained.files import read_metadata
from wsss_core.runtime.devices import device
from wsss_core.runtime.errors import run_command
from wsss_core.runtime.profiling import profiled
from wsss_core.runtime.progress import progress
from wsss_core.stages.infer_cam import infer_cams


def main() -> None:
    """Runs the program."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--dataset", type=Path, required=True, help="prepared dataset")
    parser.add_argument("--weights", type=Path, required=True, help="trained classifier")
    parser.add_argument("--kind", required=True, help="kind of the classifier's method")
    parser.add_argument("--part", choices=("eval", "train_only"), required=True)
    parser.add_argument("--shard", type=int, required=True)
    parser.add_argument("--num-shards", type=int, required=True)
    parser.add_argument("--scored-splits", nargs="*", default=[])
    parser.add_argument("--gpus", type=int, default=0)
    parser.add_argument("--precision", choices=get_args(AskedPrecision), default="float32")
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--output", type=Path, required=True, help="score file to write")
    parser.add_argument("--trace", type=Path, help="trace of ten images to write")
    parser.add_argument("--config", required=True, help="JSON: section cam")
    args = parser.parse_args()

    torch.set_num_threads(args.threads)
    config = CamConfig.model_validate_json(args.config)
    dataset = open_dataset(args.dataset)
    ids = part_ids(dataset, args.part, args.scored_splits)
    ids = shard_ids(ids, args.shard, args.num_shards)
    net = load_classifier(args.weights, dataset.class_names, kind=args.kind)
    place = device(args.gpus)
    precision = start_inference(cast(nn.Module, net), args.precision, place)
    cams = infer_cams(net, dataset, ids, config=config, precision=precision)
    cams = profiled(cams, args.trace)
    computed_in = ComputedIn(read_metadata(args.weights).get("precision"), precision)
    with ScoreWriter(
        args.output, kind="cam", class_names=dataset.class_names, computed_in=computed_in
    ) as writer:
        for cam in progress(cams, total=len(ids), desc="infer_cam"):
            writer.write(cam.image_id, cam.class_ids, cam.cam)


if __name__ == "__main__":
    run_command(main)
