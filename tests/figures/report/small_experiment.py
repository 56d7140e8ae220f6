"""Writes the results of a small experiment with two methods on the tiny dataset."""

from functools import partial
from pathlib import Path

import numpy as np

from wsss_core.data.dataset import open_dataset, part_ids
from wsss_core.data.images import write_mask
from wsss_core.data.pixel_counts import write_pixel_counts
from wsss_core.data.score_maps import ScoreReader, ScoreWriter
from wsss_core.figures.report.results import Results, Run
from wsss_core.stages.class_shares import ClassShares
from wsss_core.stages.evaluate import evaluate_cams, evaluate_masks, write_scores, write_sweep
from wsss_core.stages.summarise import merge_scores, write_summary

SPLITS = ("train", "val")
RUNS = (
    Run(method="cam", seed=0, stages=("cam",)),
    Run(method="sb", seed=0, stages=("cam", "random_walk", "segmentation", "segmentation_crf")),
    Run(method="sb", seed=1, stages=("cam", "random_walk", "segmentation", "segmentation_crf")),
)
HISTORY = "step,epoch,lr,loss,classification,ecr\n10,0.5,0.1,2,1,1\n20,1.0,0.1,1.5,0.7,0.8\n"
BENCHMARK = "s\th:m:s\tmax_rss\tcpu_time\n30.5\t0:00:30\t1024.0\t20.0\n"


def write_experiment(folder: Path, data: Path, *, scored: bool = True) -> Results:
    """Writes what the workflow leaves of two methods; sb's masks are true ones with a shift."""
    results = Results(
        folder=folder,
        data=data,
        splits=SPLITS if scored else (),
        shown_split="val" if scored else "train_aug",
        shown_part="eval" if scored else "train_only",
        num_shards=1,
        runs=RUNS,
    )
    dataset = open_dataset(data)
    image_ids = part_ids(dataset, results.shown_part, results.splits)
    true_masks = {image_id: dataset.read_mask(image_id) for image_id in image_ids}
    if not scored:
        for path in (data / "masks").glob("*.png"):
            path.unlink()
    for run in RUNS:
        directory = results.directory(run)
        shift = 4 - run.seed
        shifted = {
            image_id: np.roll(np.where(mask == 255, 0, mask).astype(np.uint8), shift, axis=1)
            for image_id, mask in true_masks.items()
        }
        _write_cams(results.shards(run, "cam")[0], dataset, shifted)
        for stage in run.stages[1:]:
            masks = results.shards(run, stage)[0]
            masks.mkdir(parents=True)
            for image_id, mask in shifted.items():
                write_mask(masks / f"{image_id}.png", mask)
        if scored:
            _score(results, run, dataset)
        elif run.stages[-1] != "cam":
            _count_shares(directory, dataset, shifted)
        networks = ("classifier", "affinity", "segmenter")[: 1 if run.method == "cam" else 3]
        for network in networks:
            _write(directory / network / "history.csv", HISTORY)
            _write(directory / network / "weights.pt", "")
            _write(directory / f"benchmarks/train_{network}.tsv", BENCHMARK)
    if scored:
        scores = [results.scores(run, stage) for run in RUNS for stage in run.stages]
        write_summary(folder / "summary.csv", merge_scores(scores))
    return results


def _write(path, text):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)


def _write_cams(path, dataset, masks):
    path.parent.mkdir(parents=True)
    with ScoreWriter(path, kind="cam", class_names=dataset.class_names) as writer:
        for image_id, mask in masks.items():
            present = (np.flatnonzero(dataset.labels[image_id]) + 1).tolist()
            planes = [(mask == class_id) * 0.9 + 0.1 for class_id in present]
            writer.write(image_id, present, np.stack(planes).astype(np.float32))


def _score(results, run, dataset):
    for stage in run.stages:
        path = results.scores(run, stage)
        path.parent.mkdir(parents=True, exist_ok=True)
        [shard] = results.shards(run, stage)
        if stage == "cam":
            cams = ScoreReader([shard], kind="cam", class_names=dataset.class_names)
            score = partial(evaluate_cams, cams=cams)
        else:
            score = partial(evaluate_masks, mask_paths={p.stem: p for p in shard.glob("*.png")})
        scores = [score(dataset, split, processes=1) for split in SPLITS]
        if stage == "cam":
            write_sweep(path.with_name("cam_sweep.csv"), scores)
        counts = [(one.split, one.images) for one in scores]
        write_pixel_counts(path.with_name(f"{stage}_images.csv"), counts)
        names = {"method": run.method, "seed": run.seed, "stage": stage}
        write_scores(path, scores, class_names=dataset.class_names, **names)


def _count_shares(directory, dataset, masks):
    shares = ClassShares(dataset.class_names)
    for image_id, mask in masks.items():
        shares.add(image_id, mask)
    directory.mkdir(parents=True, exist_ok=True)
    shares.write(directory / "class_coverage.csv")
