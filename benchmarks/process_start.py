"""overhead_start: the start-up time of the programs of the stages."""

import subprocess
import sys

import torch

from benchmarks.experiment import ROOT
from benchmarks.rows import Row
from benchmarks.timing import median_seconds, name_of


def start_seconds(script: str) -> float:
    """Measures the time in which a program prints its options, in seconds."""
    command = [sys.executable, "-m", f"workflow_scripts.{script}", "--help"]
    return median_seconds(
        lambda: subprocess.run(command, cwd=ROOT, check=True, stdout=subprocess.DEVNULL),
        repetitions=3,
    )


def imports_torch(script: str) -> bool:
    """Tells whether a program imports torch when it starts."""
    code = f"import sys, workflow_scripts.{script}; sys.exit('torch' in sys.modules)"
    return bool(subprocess.run([sys.executable, "-c", code], cwd=ROOT, check=False).returncode)


def run(device: torch.device) -> list[Row]:
    """Measures the slowest program that imports torch, and the slowest of the others."""
    scripts = sorted(path.stem for path in (ROOT / "workflow_scripts").glob("[a-z]*.py"))
    starts: dict[bool, list[float]] = {True: [], False: []}
    for script in scripts:
        starts[imports_torch(script)].append(start_seconds(script))
    cpu = name_of(device)
    return [
        Row("overhead_start_torch", max(starts[True]), None, "s", "<= 4", cpu),
        Row("overhead_start_plain", max(starts[False]), None, "s", "<= 0.5", cpu),
    ]
