"""Running Snakemake from a test, as a user would."""

import os
import re
import subprocess
import sys
from pathlib import Path

PROJECT = Path(__file__).parent.parent.parent


def snakemake(
    *arguments: str | Path, directory: Path, project: Path = PROJECT
) -> subprocess.CompletedProcess[str]:
    """Runs the workflow in another directory than the project's; files are named from there."""
    command = [sys.executable, "-m", "snakemake", "--snakefile", project / "Snakefile"]
    environment = {key: value for key, value in os.environ.items() if key != "PYTHONPATH"}
    return subprocess.run(
        [*command, "--directory", directory, *arguments],
        cwd=directory,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )


def job_counts(run: subprocess.CompletedProcess[str]) -> dict[str, int]:
    """Number of jobs by rule of a (dry) run that went well."""
    assert run.returncode == 0, run.stdout + run.stderr
    table = re.search(
        r"^Job stats:\n.*\n[- ]+\n(.*?)\ntotal ", run.stdout + run.stderr, re.M | re.S
    )
    rows = [line.split() for line in table[1].splitlines()] if table else []
    return {rule: int(count) for rule, count in rows if rule != "all"}
