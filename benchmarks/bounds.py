"""Measures upper bounds of a run's stages with the true masks.

    python -m benchmarks.bounds results/voc-animals --method sb --configfile a.yaml b.yaml

A bound shows which stage loses mIoU. It is not a result of the method, because it uses masks.

    cam_best_threshold   each CAM at the best background threshold for its own image
    walk_from_masks      the random walk, started from the true mask instead of the CAM
    told_labels          the segmentation network, limited to the classes of the image's label
    told_labels_crf      the same after the dense CRF
    weak_folds           the segmentation network, trained on pseudo labels of half of `train`
    full_folds           the same network, trained on the true masks of the same half

The last two are scored after the CRF, by cross-validation with two folds: the network trained on
one half of `train` segments the other half. Their ratio is the share of full supervision that
image-level labels reach.

The masks and a table of scores are written to `<results>/bounds/<method>/seed<seed>/`. A bound that
exists is not measured again.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from pathlib import Path

import cv2
import numpy as np
import torch
from numpy.typing import NDArray

from wsss_core.config.experiment import Experiment
from wsss_core.config.merged import read_experiment
from wsss_core.data.dataset import TRAIN_SPLIT, Dataset, open_dataset
from wsss_core.data.image_pyramid import image_pyramids
from wsss_core.data.images import IGNORE_INDEX, read_mask, write_mask
from wsss_core.data.mask_files import find_masks
from wsss_core.data.pixel_counts import write_pixel_counts
from wsss_core.data.score_maps import ScoreReader, ScoreRecord
from wsss_core.ops.metrics import ThresholdSweep, best_class
from wsss_core.runtime.atomic import atomic_dir
from wsss_core.runtime.errors import UserError, run_command
from wsss_core.runtime.progress import progress
from wsss_core.stages import segment
from wsss_core.stages.evaluate import evaluate_masks, write_scores
from wsss_core.stages.random_walk import load_affinity_net, pseudo_label
from wsss_core.stages.segment_crf import refine_mask

HALVED = "train"  # the split that is divided into folds
EXCLUDED = -1e4  # logit of a class that cannot win; an infinite one becomes NaN when it is resized
HELD_OUT = "val"  # name of the other half in a fold's dataset

Masks = Iterator[tuple[str, NDArray[np.uint8]]]


class Run:
    """One method and seed of an experiment, with its folders and its config."""

    def __init__(self, results: Path, method: str, seed: int, experiment: Experiment) -> None:
        self.results = results
        self.folder = results / method / f"seed{seed}"
        self.method, self.seed, self.config = method, seed, experiment
        self.bounds = results / "bounds" / method / f"seed{seed}"
        self.dataset = open_dataset(results.parent / experiment.dataset.name / "data")

    def last_stage(self) -> str:
        """Returns the stage with the final masks."""
        return "segmentation_crf" if self.config.segment.crf else "segmentation"

    def scored_ids(self) -> list[str]:
        """Lists the images of all scored splits."""
        splits = self.config.evaluation.splits
        return sorted({image_id for split in splits for image_id in self.dataset.split(split)})

    def cams(self) -> ScoreReader:
        """Opens the CAMs of all images."""
        paths = sorted((self.folder / "cam").glob("*.npz"))
        return ScoreReader(paths, kind="cam", class_names=self.dataset.class_names)


def cam_best_threshold(run: Run) -> Masks:
    """Yields each CAM's mask at the threshold with the highest mean IoU of its own image."""
    cams = run.cams()
    for image_id in run.scored_ids():
        truth, cam = run.dataset.read_mask(image_id), cams.read(image_id)
        sweep = ThresholdSweep(1 + len(run.dataset.class_names))
        sweep.add(truth, cam.class_ids, cam.scores)
        threshold = sweep.thresholds[sweep.best_threshold()].astype(cam.scores.dtype)
        best, score = best_class(cam.class_ids, cam.scores)
        yield image_id, np.where(score > threshold, best, 0).astype(np.uint8)


def walk_from_masks(run: Run) -> Masks:
    """Yields pseudo labels of the trained AffinityNet, with the true mask instead of the CAM."""
    net = load_affinity_net(run.folder / "affinity/weights.pt", run.dataset.class_names)
    place = torch.device("cpu")
    for pyramid in image_pyramids(run.dataset, run.scored_ids(), device=place):
        scores = scores_of_mask(run.dataset.read_mask(pyramid.image_id))
        walked = pseudo_label(net, pyramid.scaled[0], scores, run.config.random_walk)
        yield pyramid.image_id, walked


def fill_ignored(mask: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Gives each ignored pixel the class of the nearest other one, or background without any."""
    ignored = mask == IGNORE_INDEX
    if ignored.all():
        return np.zeros_like(mask)
    _, nearest = cv2.distanceTransformWithLabels(
        ignored.astype(np.uint8), cv2.DIST_L2, 5, labelType=cv2.DIST_LABEL_PIXEL
    )
    classes = np.zeros(nearest.max() + 1, dtype=np.uint8)
    classes[nearest[~ignored]] = mask[~ignored]
    return classes[nearest]


def scores_of_mask(mask: NDArray[np.uint8]) -> ScoreRecord:
    """Converts a mask to score maps of 0 and 1; ignored pixels take the nearest pixel's class."""
    mask = fill_ignored(mask)
    class_ids = tuple(int(k) for k in np.unique(mask) if k)
    maps = [(mask == k).astype(np.float32) for k in class_ids]
    return ScoreRecord(class_ids, np.array(maps, dtype=np.float32).reshape(-1, *mask.shape))


def told_labels(run: Run, *, crf: bool) -> Masks:
    """Yields segmentations without the classes that the image's label excludes."""
    names, config = run.dataset.class_names, run.config.segment
    network = segment.load_segmenter(run.folder / "segmenter/weights.pt", names).network
    pyramids = image_pyramids(
        run.dataset,
        run.scored_ids(),
        device=torch.device("cpu"),
        scales=config.scales,
        flip=config.flip,
    )
    for pyramid in pyramids:
        label = run.dataset.labels[pyramid.image_id]
        logits = exclude_absent(segment.average_logits(network, pyramid), label)
        if config.crf is None or not crf:
            yield pyramid.image_id, segment.best_class(logits, pyramid.size)
            continue
        image = run.dataset.read_image(pyramid.image_id)
        prob = logits.softmax(dim=0).numpy()
        yield pyramid.image_id, refine_mask(image, prob, config=config.crf)


def exclude_absent(logits: torch.Tensor, label: NDArray[np.uint8]) -> torch.Tensor:
    """Logits [C, h, w] and a label [K] of 0 and 1 -> logits with which no absent class can win."""
    absent = torch.from_numpy(np.concatenate([[False], label == 0]))
    return logits.masked_fill(absent[:, None, None], EXCLUDED)


def folds(run: Run, *, masks: bool) -> Masks:
    """Yields the segmentations of each half of `train` by a network trained on the other half."""
    image_ids = sorted(run.dataset.split(HALVED))
    halves = image_ids[::2], image_ids[1::2]
    for number, (learnt, held_out) in enumerate([halves, halves[::-1]]):
        folder = run.bounds / ("full" if masks else "weak") / f"fold{number}"
        dataset = fold_dataset(run.dataset, folder / "data", learnt=learnt, held_out=held_out)
        labels = [dataset / "masks"] if masks else sorted((run.folder / "random_walk").iterdir())
        segmented = segment_anew(run, folder, dataset, labels, splits=[HELD_OUT])
        for image_id, path in find_masks([segmented]).items():
            yield image_id, read_mask(path)


def fold_dataset(dataset: Dataset, folder: Path, *, learnt: list[str], held_out: list[str]) -> Path:
    """Writes a dataset with other splits; images and masks are links to those of `dataset`."""
    (folder / "splits").mkdir(parents=True, exist_ok=True)
    for name in ("images", "masks"):
        if not (folder / name).is_symlink():
            (folder / name).symlink_to((dataset.root / name).resolve())
    for path in [dataset.root / "classes.txt", *dataset.root.glob("*.csv")]:
        (folder / path.name).write_bytes(path.read_bytes())
    for name, image_ids in ((TRAIN_SPLIT, learnt), (HELD_OUT, held_out)):
        (folder / "splits" / f"{name}.txt").write_text("".join(f"{i}\n" for i in image_ids))
    return folder


def segment_anew(
    run: Run, folder: Path, dataset: Path, labels: list[Path], *, splits: Sequence[str]
) -> Path:
    """Trains a new segmentation network and segments some splits with it.

    Args:
        run: Gives the configs, the seed and the initial classifier.
        folder: Gets weights.pt, history.csv and the masks. Files that exist are not made again.
        dataset: Root of the dataset.
        labels: Folders of masks to learn from.
        splits: Splits to segment.

    Returns:
        The folder of masks after the CRF, if the config has one. Those before it are in
        `before_crf`.
    """
    threads = str(torch.get_num_threads())
    weights, probs, masks = folder / "weights.pt", folder / "probs.npz", folder / "masks"
    config = run.config
    given = ["--dataset", str(dataset), "--threads", threads]
    if not weights.is_file():
        run_program(
            *("train_segmenter", *given, "--seed", str(run.seed)),
            *("--precision", config.precision.training),
            *("--init", str(run.folder / "classifier/weights.pt")),
            *("--pseudo-labels", *map(str, labels)),
            *("--output", str(weights), "--history", str(folder / "history.csv")),
            *("--config", config.segmenter.model_dump_json()),
        )
    if not probs.is_file():
        run_program(
            *("segment", *given, "--weights", str(weights), "--part", "eval"),
            *("--precision", config.precision.inference),
            *("--scored-splits", *splits, "--output", str(folder / "before_crf")),
            *("--probs", str(probs), "--config", config.segment.model_dump_json(exclude={"crf"})),
        )
    if config.segment.crf is None:
        return folder / "before_crf"
    if not masks.is_dir():
        crf = config.segment.crf.model_dump_json()
        run_program(
            *("segment_crf", *given, "--probs", str(probs), "--output", str(masks)),
            *("--config", crf),
        )
    return masks


def run_program(name: str, *arguments: str) -> None:
    """Runs the program of a stage.

    Raises:
        UserError: It failed.
    """
    command = [sys.executable, "-m", f"workflow_scripts.{name}", *arguments]
    if subprocess.run(command, check=False).returncode:
        raise UserError(f"{name} failed; its message is above")


BOUNDS: dict[str, Callable[[Run], Masks]] = {
    "cam_best_threshold": cam_best_threshold,
    "walk_from_masks": walk_from_masks,
    "told_labels": partial(told_labels, crf=False),
    "told_labels_crf": partial(told_labels, crf=True),
    "weak_folds": partial(folds, masks=False),
    "full_folds": partial(folds, masks=True),
}


def measure(run: Run, name: str) -> None:
    """Writes the masks of a bound, its scores and the pixel counts of each image."""
    folder = run.bounds / name
    if not folder.is_dir():
        with atomic_dir(folder) as directory:
            for image_id, mask in progress(BOUNDS[name](run), total=None, desc=name):
                write_mask(directory / f"{image_id}.png", mask)
    splits = [HALVED] if name.endswith("_folds") else run.config.evaluation.splits
    score(run, folder, stage=name, splits=splits)


def score(run: Run, masks: Path, *, stage: str, splits: Sequence[str]) -> None:
    """Writes `<stage>.csv` and `<stage>_images.csv` beside a folder of masks.

    Args:
        run: Gives the true masks.
        masks: Folder of masks.
        stage: Name of the stage in the table of scores.
        splits: Splits to score.
    """
    processes = len(os.sched_getaffinity(0))
    found = find_masks([masks])
    scores = [evaluate_masks(run.dataset, s, found, processes=processes) for s in splits]
    write_pixel_counts(
        masks.with_name(f"{stage}_images.csv"), [(score.split, score.images) for score in scores]
    )
    write_scores(
        masks.with_name(f"{stage}.csv"),
        scores,
        method=run.method,
        seed=run.seed,
        stage=stage,
        class_names=run.dataset.class_names,
    )


def add_run_arguments(parser: argparse.ArgumentParser) -> None:
    """Adds the arguments that name a run."""
    parser.add_argument("results", type=Path, help="results/<name> of a finished run")
    parser.add_argument("--method", required=True)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument(
        "--configfile", type=Path, nargs="+", required=True, help="config files of that run"
    )


def given_run(args: argparse.Namespace) -> Run:
    """Returns the run that the arguments name."""
    return Run(args.results, args.method, args.seed, read_experiment(args.configfile))


def main() -> None:
    """Measures the named bounds, or all."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    add_run_arguments(parser)
    parser.add_argument("--bounds", nargs="+", choices=BOUNDS, default=list(BOUNDS))
    args = parser.parse_args()
    run = given_run(args)
    for name in args.bounds:
        measure(run, name)
        sys.stdout.write((run.bounds / f"{name}.csv").read_text())


if __name__ == "__main__":
    run_command(main)
