"""Trains a smoothing branch on boundaries of true masks: what better boundaries could give.

    python -m benchmarks.true_boundaries results/voc-animals --method sb --configfile a.yaml b.yaml

Training images with a true mask get the boundaries of this mask, the others those of the method's
teacher. The CAM that is trained this way uses masks, so it is a bound and no result of the method.
The run must have the teacher's masks and the initial classifier. Network, CAMs and scores are
written to `<results>/bounds/<method>/seed<seed>/true_boundaries/`.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
from pathlib import Path
from tempfile import TemporaryDirectory

from benchmarks.bounds import Run, add_run_arguments, fill_ignored, given_run, run_program
from wsss_core.config.experiment import training_sections
from wsss_core.config.methods import IMAGENET, MethodPlan
from wsss_core.data.dataset import TRAIN_SPLIT, Dataset
from wsss_core.data.images import write_mask
from wsss_core.data.mask_files import find_masks
from wsss_core.methods.plans import plan_methods
from wsss_core.runtime.errors import UserError, run_command


def collect_masks(dataset: Dataset, teacher: list[Path], folder: Path) -> None:
    """Collects the mask of each training image: the true one, or else the teacher's.

    Args:
        dataset: The dataset; not all training images need a mask.
        teacher: Folders with the teacher's masks of all training images.
        folder: An empty folder, for files or links `<image>.png`.
    """
    taught = find_masks(teacher)
    for image_id in dataset.split(TRAIN_SPLIT):
        path = folder / f"{image_id}.png"
        if dataset.mask_path(image_id).is_file():
            write_mask(path, fill_ignored(dataset.read_mask(image_id)))
        else:
            path.symlink_to(taught[image_id].resolve())


def train(run: Run, plan: MethodPlan, folder: Path) -> None:
    """Trains the method on such boundaries, and scores its CAM.

    Raises:
        UserError: The method has no smoothing branch on label maps, or it does not start from
            another method.
    """
    inputs = plan.boundaries
    starts_from_method = isinstance(plan.init, str) and plan.init != IMAGENET
    if inputs is None or inputs.map_radius is not None or not starts_from_method:
        raise UserError(
            f"{run.method}: expected a method with a smoothing branch that starts from another "
            "method, and boundary_resize: labels"
        )
    results, seed = run.results, run.folder.name
    stage = inputs.stage or run.last_stage()
    taught = sorted((results / inputs.teacher / seed / stage).iterdir())
    weights, boundaries, cams = folder / "weights.pt", folder / "boundaries", folder / "cam.npz"
    given = ["--dataset", str(run.dataset.root), "--threads", str(len(os.sched_getaffinity(0)))]
    splits = run.config.evaluation.splits
    if not boundaries.is_dir():
        with TemporaryDirectory() as masks:
            collect_masks(run.dataset, taught, Path(masks))
            run_program(
                *("semantic_boundary", *given[:2]),
                *("--segmentation", masks, "--output", str(boundaries)),
            )
    if not weights.is_file():
        run_program(
            *("train_classifier", *given, "--method", run.method, "--seed", str(run.seed)),
            *("--precision", run.config.precision.training),
            *("--init", str(results / str(plan.init) / seed / "classifier/weights.pt")),
            *("--boundaries", str(boundaries), "--canny", str(results / "canny")),
            *("--output", str(weights), "--history", str(folder / "history.csv")),
            *("--config", json.dumps(training_sections(run.config, run.method))),
        )
    if not cams.is_file():
        run_program(
            *("infer_cam", *given, "--weights", str(weights), "--kind", plan.config["kind"]),
            *("--precision", run.config.precision.inference),
            *("--part", "eval", "--shard", "0", "--num-shards", "1", "--scored-splits", *splits),
            *("--output", str(cams), "--config", run.config.cam.model_dump_json()),
        )
    run_program(
        *("evaluate", *given, "--method", run.method, "--seed", str(run.seed)),
        *("--stage", "cam", "--splits", *splits, "--cams", str(cams)),
        *("--output", str(folder / "cam.csv"), "--images", str(folder / "cam_images.csv")),
    )


def main() -> None:
    """Trains, and prints the scores of the CAM."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    add_run_arguments(parser)
    args = parser.parse_args()
    run = given_run(args)
    with TemporaryDirectory() as memory:
        folders = [path.resolve().parent for path in args.configfile]
        plans = plan_methods(run.config, folders=folders, memory=Path(memory))
    folder = run.bounds / "true_boundaries"
    folder.mkdir(parents=True, exist_ok=True)
    train(run, plans[run.method], folder)
    sys.stdout.write((folder / "cam.csv").read_text())


if __name__ == "__main__":
    run_command(main)
