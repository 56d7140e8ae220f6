"""Segments the images of one shard with the trained network."""

import argparse
from contextlib import ExitStack
from pathlib import Path
from typing import get_args

import torch

from wsss_core.config.precision import AskedPrecision
from wsss_core.config.segment import SegmentConfig
from wsss_core.data.computed_in import ComputedIn, mask_notes
from wsss_core.data.dataset import open_dataset, part_ids, shard_ids
from wsss_core.data.images import write_mask
from wsss_core.data.score_maps import ScoreWriter
from wsss_core.models.inference import start_inference
from wsss_core.pretrained.files import read_metadata
from wsss_core.runtime.atomic import atomic_dir
from wsss_core.runtime.devices import device
from wsss_core.runtime.errors import run_command
from wsss_core.runtime.profiling import profiled
from wsss_core.runtime.progress import progress
from wsss_core.stages.segment import load_segmenter, segment


def main() -> None:
    """Writes a directory of masks and, with --probs, a file of probabilities."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--dataset", type=Path, required=True, help="prepared dataset")
    parser.add_argument("--weights", type=Path, required=True, help="weights of train_segmenter")
    parser.add_argument("--part", choices=["eval", "train_only", "test"], required=True)
    parser.add_argument("--shard", type=int, default=0)
    parser.add_argument("--num-shards", type=int, default=1)
    parser.add_argument("--scored-splits", nargs="*", default=[])
    parser.add_argument("--gpus", type=int, default=0, help="0 computes on the CPU")
    parser.add_argument("--precision", choices=get_args(AskedPrecision), default="float32")
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--output", type=Path, required=True, help="directory of <image>.png")
    parser.add_argument("--probs", type=Path, help="score file of kind 'prob' to write as well")
    parser.add_argument("--trace", type=Path, help="trace of ten images to write")
    parser.add_argument("--config", default="{}", help="section 'segment' as JSON")
    args = parser.parse_args()
    config = SegmentConfig.model_validate_json(args.config)

    torch.set_num_threads(args.threads)
    dataset = open_dataset(args.dataset)
    names = dataset.class_names
    ids = part_ids(dataset, args.part, args.scored_splits)
    ids = shard_ids(ids, args.shard, args.num_shards)
    place = device(args.gpus)
    network = load_segmenter(args.weights, names).network
    precision = start_inference(network, args.precision, place)
    results = segment(network, dataset, ids, config=config, precision=precision)
    results = profiled(results, args.trace)
    computed_in = ComputedIn(read_metadata(args.weights).get("precision"), precision)
    with ExitStack() as outputs:
        directory = outputs.enter_context(atomic_dir(args.output))
        writer = None
        if args.probs:
            writer = ScoreWriter(
                args.probs, kind="prob", class_names=names, computed_in=computed_in
            )
            outputs.enter_context(writer)
        for result in progress(results, total=len(ids), desc="Segment"):
            path = directory / f"{result.image_id}.png"
            write_mask(path, result.mask, notes=mask_notes(computed_in))
            if writer:
                writer.write(result.image_id, range(1 + len(names)), result.prob)


if __name__ == "__main__":
    run_command(main)
