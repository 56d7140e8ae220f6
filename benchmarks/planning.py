"""planning: Snakemake's own time and memory for large datasets and many methods.

Nothing is trained. The dataset is really prepared; for all later stages, only empty outputs are
made. The results still depend on our code: on the number of jobs, on the inputs of the rules, and
on the files that each start reads.
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import NamedTuple

import torch
import yaml
from PIL import Image

from benchmarks.experiment import ROOT
from benchmarks.rows import Row
from benchmarks.timing import name_of

# This small process starts the command, so that torch's memory in our process does not count. It
# measures CPU time in all processes, so that other work on the machine does not count.
WATCH = """\
import os, sys

_, status, used = os.wait4(os.posix_spawn(sys.argv[1], sys.argv[1:], os.environ), 0)
print("used", used.ru_maxrss, used.ru_utime + used.ru_stime)
sys.exit(os.waitstatus_to_exitcode(status))
"""
NUM_IMAGES, NUM_VAL, SIZE = 100_000, 1_000, 8


class Measured(NamedTuple):
    """Measurements of a command: CPU seconds, peak memory in MB, and number of reported jobs."""

    seconds: float
    memory: float
    jobs: int


def run(device: torch.device) -> list[Row]:
    """Measures a dry run of the paper's tables, and an experiment with 100,000 pictures."""
    name = name_of(device)
    rows = []
    with tempfile.TemporaryDirectory() as folder:
        place = Path(folder)
        tables = str(ROOT / "configs/paper-tables.yaml")
        measure(place, "-n", "--configfile", tables)  # the first call checks methods
        rows += _rows("plan_paper", measure(place, "-n", "--configfile", tables), name)
        write_pictures(place / "pictures")
        config = place / "many.yaml"
        config.write_text(yaml.safe_dump(experiment(place / "pictures")))
        options = ("--configfile", str(config))

        def planned(label: str, *arguments: str) -> list[Row]:
            measured = measure(place, *arguments, *options)
            return _rows(f"plan_100000{label}", measured, name)

        measure(place, "-n", *options)
        rows += planned("", "-n")
        labels = "results/many/data/labels.csv"
        rows += planned("_prepare", labels, "--cores", "2")
        make_outputs(place, *options)
        measure(place, "--touch", *options)
        rows += planned("_again", "--cores", "2")
        rows += planned("_report", "--report", str(place / "report.html"))
        # A changed config would not be seen: outputs that no job made have no record of theirs.
        rows += planned("_why", "-n", "--forcerun", "train_affinity")
    return rows


def _rows(label: str, measured: Measured, device: str) -> list[Row]:
    bound = "<= 10" if label == "plan_paper" else "<= 3600"
    rows = [Row(label, measured.seconds, None, "core s", bound, device)]
    rows += [Row(f"{label}_memory", measured.memory, None, "MB", "<= 4000", device)]
    if measured.jobs:
        rows += [Row(f"{label}_jobs", measured.jobs, None, "jobs", "<= 10000", device)]
    return rows


def experiment(pictures: Path) -> dict[str, object]:
    """Returns a config with all methods of config.yaml for these pictures."""
    backbone = {"name": "resnet38d", "weights": None}
    segmenter = {"backbone": {"name": "resnet101.tv_in1k", "weights": None}}
    return {
        "dataset": {"name": "many", "source": "folder", "folder": str(pictures)},
        "classifier": {"backbone": backbone},
        "affinity": {"backbone": backbone},
        "segmenter": segmenter,
    }


def make_outputs(directory: Path, *options: str) -> None:
    """Creates all missing outputs of a run as empty files and folders, as if it had been done."""
    command = [sys.executable, "-m", "snakemake", "--summary", *options]
    command += ["--snakefile", str(ROOT / "Snakefile"), "--directory", str(directory)]
    table = subprocess.run(command, cwd=directory, capture_output=True, text=True, check=True)
    _, *rows = table.stdout.splitlines()
    paths = [directory / row.split("\t")[0] for row in rows]
    for path in [path for path in paths if not path.exists()]:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch() if path.suffix else path.mkdir()


def write_pictures(root: Path) -> None:
    """Writes a user's folder of tiny pictures, each with different content."""
    for name in ("images", "masks", "splits"):
        (root / name).mkdir(parents=True)
    ids = [f"{index:06d}" for index in range(NUM_IMAGES)]
    for index, image_id in enumerate(ids):
        colour = (index % 256, index // 256 % 256, index // 65536)
        Image.new("RGB", (SIZE, SIZE), colour).save(root / f"images/{image_id}.png")
    val = ids[:NUM_VAL]
    for index, image_id in enumerate(val):
        Image.new("L", (SIZE, SIZE), 1 + index % 2).save(root / f"masks/{image_id}.png")
    labels = "".join(f"{i},{int(n % 2 == 0)},{n % 2}\n" for n, i in enumerate(ids))
    (root / "labels.csv").write_text(f"image,cat,dog\n{labels}")
    (root / "classes.txt").write_text("cat\ndog\n")
    splits = {"train_aug": ids[NUM_VAL:], "train": val[: NUM_VAL // 2], "val": val[NUM_VAL // 2 :]}
    splits["train_aug"] += splits["train"]
    for split, members in splits.items():
        (root / f"splits/{split}.txt").write_text("\n".join(members) + "\n")


def measure(directory: Path, *options: str) -> Measured:
    """Runs the workflow in a directory and measures it."""
    place = ("--snakefile", str(ROOT / "Snakefile"), "--directory", str(directory))
    run = subprocess.run(
        [sys.executable, "-c", WATCH, sys.executable, "-m", "snakemake", *options, *place],
        cwd=directory,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
    )
    used = re.search(r"^used (\d+) ([\d.]+)$", run.stdout, re.M)
    if run.returncode or used is None:
        raise RuntimeError(run.stdout[-3000:])
    total = re.search(r"^total +(\d+)", run.stdout, re.M)
    return Measured(float(used[2]), int(used[1]) / 1024, int(total[1]) if total else 0)
