"""Runs Snakemake from a test, like a user does."""

import os
import re
import shlex
import shutil
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass
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


@dataclass(frozen=True)
class Command:
    """A program of a stage as a job runs it.

    Attributes:
        script: Its name.
        options: What follows each option, by the option's name without dashes.
        leased: GPUs that are leased for it; None where it takes them by itself or needs none.
    """

    script: str
    options: dict[str, list[str]]
    leased: int | None

    def option(self, name: str) -> str | None:
        """The only word after an option; None where it is not given."""
        if name not in self.options:
            return None
        (word,) = self.options[name]
        return word


def commands(run: subprocess.CompletedProcess[str], script: str | None = None) -> list[Command]:
    """What the jobs of a run with --printshellcmds would start: all programs, or one of them."""
    assert run.returncode == 0, run.stdout + run.stderr
    lines = re.findall(r"^Shell command: (python -m .*?) 2>&1", run.stdout, re.M)
    found = [_command(shlex.split(line)) for line in lines]
    return [command for command in found if script in (None, command.script)]


def _command(words: list[str]) -> Command:
    leased = int(words[3]) if words[2].endswith(".gpu_lease") else None
    start = next(i for i, word in enumerate(words) if word.startswith("workflow_scripts."))
    options: dict[str, list[str]] = {}
    values: list[str] = []
    for word in words[start + 1 :]:
        if word.startswith("--"):
            values = options.setdefault(word.removeprefix("--"), [])
        else:
            values.append(word)
    return Command(words[start].removeprefix("workflow_scripts."), options, leased)


def job_counts(run: subprocess.CompletedProcess[str]) -> dict[str, int]:
    """Number of jobs by rule of a (dry) run that went well."""
    assert run.returncode == 0, run.stdout + run.stderr
    table = re.search(
        r"^Job stats:\n.*\n[- ]+\n(.*?)\ntotal ", run.stdout + run.stderr, re.M | re.S
    )
    rows = [line.split() for line in table[1].splitlines()] if table else []
    return {rule: int(count) for rule, count in rows if rule != "all"}
