"""Running Snakemake from a test, as a user would."""

import os
import re
import shutil
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

PROJECT = Path(__file__).parent.parent.parent
PARTS = [
    "Snakefile",
    "config.yaml",
    "configs",
    "envs",
    "profiles",
    "pyproject.toml",
    "report",
    "rules",
    "workflow_scripts",
    "wsss_core",
]


def snakemake(
    *arguments: str | Path,
    directory: Path,
    project: Path = PROJECT,
    environment: Mapping[str, str] = os.environ,
) -> subprocess.CompletedProcess[str]:
    """Runs the workflow in another directory than the project's; files are named from there."""
    command = [sys.executable, "-m", "snakemake", "--snakefile", project / "Snakefile"]
    return subprocess.run(
        [*command, "--directory", directory, *arguments],
        cwd=directory,
        env={key: value for key, value in environment.items() if key != "PYTHONPATH"},
        capture_output=True,
        text=True,
        check=False,
    )


def copy_project(root: Path) -> Path:
    """A copy of the workflow for a test to change."""
    root.mkdir()
    ignore = shutil.ignore_patterns("__pycache__")
    for part in PARTS:
        if (PROJECT / part).is_dir():
            shutil.copytree(PROJECT / part, root / part, ignore=ignore)
        else:
            shutil.copy(PROJECT / part, root / part)
    return root


def job_counts(run: subprocess.CompletedProcess[str]) -> dict[str, int]:
    """Number of jobs by rule of a (dry) run that went well."""
    assert run.returncode == 0, run.stdout + run.stderr
    table = re.search(
        r"^Job stats:\n.*\n[- ]+\n(.*?)\ntotal ", run.stdout + run.stderr, re.M | re.S
    )
    rows = [line.split() for line in table[1].splitlines()] if table else []
    return {rule: int(count) for rule, count in rows if rule != "all"}
