"""demo and overhead: the time of the whole demo, and the time in which no job runs."""

from __future__ import annotations

import csv
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import torch

from benchmarks.experiment import ROOT, merged
from benchmarks.rows import Row
from benchmarks.timing import name_of
from wsss_core.config.experiment import load_experiment
from wsss_core.config.precision import Precision
from wsss_core.data.dataset import open_dataset
from wsss_core.methods.kinds import load_classifier
from wsss_core.ops.metrics import ThresholdSweep
from wsss_core.stages.infer_cam import infer_cams


def snakemake(directory: Path, *arguments: str) -> float:
    """Runs the workflow in a directory; returns its duration in seconds."""
    command = [sys.executable, "-m", "snakemake", "--snakefile", str(ROOT / "Snakefile")]
    start = time.perf_counter()
    subprocess.run(
        [*command, "--directory", str(directory), *arguments],
        check=True,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    return time.perf_counter() - start


def job_benchmarks(results: Path) -> dict[Path, dict[str, str]]:
    """Reads Snakemake's benchmark of each job, by file."""
    found = {}
    for path in results.rglob("benchmarks/**/*.tsv"):
        with path.open() as file:
            found[path] = next(csv.DictReader(file, delimiter="\t"))
    return found


def busy_seconds(results: Path) -> float:
    """Computes the time in which at least one job was running, in seconds."""
    spans = sorted(
        (path.stat().st_mtime - float(row["s"]), path.stat().st_mtime)
        for path, row in job_benchmarks(results).items()
    )
    total, end = 0.0, 0.0
    for begin, finish in spans:
        total += max(0.0, finish - max(begin, end))
        end = max(end, finish)
    return total


def cam_precision(directory: Path, device: torch.device) -> tuple[float, float]:
    """Compares CAMs in bf16 with CAMs in float32, for the trained SEAM and the val images.

    Returns:
        The largest difference of a score, and the difference of the mean IoU in percentage points.
    """
    dataset = open_dataset(directory / "results/demo/data")
    weights = directory / "results/demo/seam/seed0/classifier/weights.pt"
    net = load_classifier(weights, dataset.class_names, kind="seam").to(device)
    config = load_experiment(merged("configs/demo.yaml")).cam
    cams, miou = [], []
    precisions: tuple[Precision, ...] = ("bfloat16", "float32")
    for precision in precisions:
        results = infer_cams(net, dataset, dataset.split("val"), config=config, precision=precision)
        cams.append(list(results))
        sweep = ThresholdSweep(1 + len(dataset.class_names))
        for image_id, class_ids, cam in cams[-1]:
            sweep.add(dataset.read_mask(image_id), class_ids, cam)
        miou.append(100 * sweep.mean_iou().max())
    pairs = zip(*cams, strict=True)
    difference = max(abs(ours.cam - precise.cam).max() for ours, precise in pairs)
    return float(difference), abs(miou[0] - miou[1])


def run(device: torch.device) -> list[Row]:
    """Runs the demo in an empty folder like `make demo`, without the installation."""
    config = ["--configfile", str(ROOT / "configs/demo.yaml")]
    arguments = [*config, "--cores", "all", "--prioritize"]
    with tempfile.TemporaryDirectory() as name:
        results = Path(name, "results", "demo")
        last = "results/demo/sb/seed0/scores/segmentation_crf.csv"
        wall = snakemake(Path(name), *arguments, last)
        idle = wall - busy_seconds(results)
        again = snakemake(Path(name), *config, "--cores", "all")
        difference, miou = cam_precision(Path(name), device)
    cpu = name_of(device)
    return [
        Row("demo", wall, None, "s", "<= 360", cpu),
        Row("demo_again", again, None, "s", "<= 5", cpu),
        Row("overhead", 100 * idle / wall, None, "% of the demo", "<= 5", cpu),
        Row("cam_inference_difference_compact", difference, None, "score", "<= 0.02", cpu),
        Row("cam_inference_miou_compact", miou, None, "points of mIoU", "<= 0.1", cpu),
    ]
