"""scale: time and memory of each inference stage for 100, 1,000 and 10,000 images."""

from __future__ import annotations

import json
import tempfile
from pathlib import Path

import torch
import yaml

from benchmarks.demo import job_benchmarks, snakemake
from benchmarks.experiment import ROOT
from benchmarks.rows import Row
from benchmarks.timing import name_of, scaled

NUMBERS = (100, 1_000, 10_000)
SIZE = 64  # pixels, the smallest size: only the growth with the number of images is measured
STAGES = (
    "infer_cam",
    "crf_seeds",
    "random_walk",
    "segment",
    "segment_crf",
    "evaluate/cam",
    "evaluate/segmentation",
)


def experiment(number: int) -> dict[str, object]:
    """Returns the demo's config with this number of images and one epoch per training."""
    config = yaml.safe_load((ROOT / "configs/demo.yaml").read_text())
    config["dataset"] = {
        "name": "scale",
        "source": "demo",
        "demo": {"num_train": number // 2, "num_val": number - number // 2, "size": SIZE},
    }
    config["shards"]["eval"] = 1
    config["runs"] = [{"method": "cam", "seeds": [0], "until": "segmentation"}]
    config["methods"]["cam"]["epochs"] = 1
    config["classifier"] |= {"resize_long": [48, 64], "crop_size": 64}
    config["affinity"]["crop_size"] = 64
    config["segmenter"] |= {"crop_size": 64, "epochs": 1}
    return dict(config)


def measure(number: int) -> dict[str, tuple[float, float]]:
    """Measures seconds and MB of each stage."""
    with tempfile.TemporaryDirectory() as name:
        config = Path(name, "scale.yaml")
        config.write_text(json.dumps(experiment(number)))
        snakemake(Path(name), "--configfile", str(config), "--cores", "2")
        benchmarks = Path(name, "results", "scale", "cam", "seed0", "benchmarks")
        found = {}
        for path, row in job_benchmarks(benchmarks.parent).items():
            stage = next(
                (s for s in STAGES if str(path.relative_to(benchmarks)).startswith(f"{s}/")), None
            )
            stage = stage or str(path.relative_to(benchmarks).with_suffix(""))
            if stage in STAGES:
                found[stage] = float(row["s"]), float(row["max_rss"])
        return found


def run(device: torch.device) -> list[Row]:
    """Here, `usual` has a tenth of the images: ratios of 1 mean linear time and constant memory.

    The time is that of 1,000 images more than in the next smaller run, without the start-up time.
    """
    small, middle, large = (measure(number) for number in NUMBERS)
    name = name_of(device)
    rows = []
    for stage in STAGES:
        growth = (large[stage][0] - middle[stage][0]) / (NUMBERS[2] - NUMBERS[1])
        growth_before = (middle[stage][0] - small[stage][0]) / (NUMBERS[1] - NUMBERS[0])
        label = "scale_" + stage.replace("/", "_")
        rows.append(
            Row(label, *scaled((growth, growth_before), 1000), "s/1,000 images", "0.8x", name)
        )
        memory = large[stage][1], middle[stage][1]
        rows.append(Row(f"{label}_memory", *memory, "MB", "0.8x", name))
    total = [sum(row.ours for row in rows[::2]), sum(row.usual or 0 for row in rows[::2])]
    return [Row("scale", total[0], total[1], "s/1,000 images", "0.8x", name), *rows]
