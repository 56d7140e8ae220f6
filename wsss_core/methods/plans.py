"""What the workflow must know of each method, with every key checked before anything runs.

Kinds are modules that import torch, and to know which features a backbone has takes timm: seconds
and a gigabyte, at each start of Snakemake. So a program of its own finds it out (check.py). What it
found of a config is remembered until the config, our code or one of these libraries changes.
"""

from __future__ import annotations

import hashlib
import json
import os
import subprocess
import sys
from collections.abc import Mapping, Sequence
from importlib import metadata
from pathlib import Path
from typing import Any

from pydantic import TypeAdapter

from wsss_core.config.base import ConfigModel
from wsss_core.config.experiment import Experiment
from wsss_core.config.methods import MethodPlan
from wsss_core.config.mistakes import Key, mistakes
from wsss_core.runtime.atomic import atomic_file
from wsss_core.runtime.errors import UserError
from wsss_core.workflow.code_digest import PROJECT, code_digest

PLANS = TypeAdapter(dict[str, MethodPlan])
LIBRARIES = ("pydantic", "timm", "torch")
PROGRAM = "wsss_core.methods.check"
PROGRAM_FILE = "wsss_core/methods/check.py"

Problem = tuple[Key, str]


class Question(ConfigModel):
    """What the program is given: an experiment, and the file of each method's kind."""

    experiment: Experiment
    modules: dict[str, str | None]


class Findings(ConfigModel):
    """What it answers: plans, or mistakes by key."""

    plans: dict[str, MethodPlan]
    problems: tuple[Problem, ...]


def plan_methods(
    experiment: Experiment,
    *,
    folders: Sequence[Path],
    memory: Path,
    sources: Sequence[tuple[str, Mapping[str, Any]]] = (),
) -> dict[str, MethodPlan]:
    """Checks the methods of an experiment.

    Args:
        experiment: Everything else is checked already.
        folders: Where the user's kinds may be: the folders of the config files.
        memory: Folder for what is remembered.
        sources: Name and content of each config file, see `load_experiment`.

    Raises:
        UserError: One line for each mistake, naming file and key and what was expected.
    """
    modules = {name: kind_file(method.kind, folders) for name, method in experiment.methods.items()}
    remembered = memory / f"{_key(experiment, modules)}.json"
    if remembered.is_file():
        return PLANS.validate_json(remembered.read_bytes())
    findings = _find(experiment, modules, folders)
    if findings.problems:
        raise UserError(mistakes(findings.problems, sources))
    try:
        with atomic_file(remembered) as temporary:
            temporary.write_bytes(PLANS.dump_json(findings.plans))
    except (OSError, UserError):
        pass  # a project that cannot be written to: found anew each time
    return findings.plans


def _find(
    experiment: Experiment, modules: Mapping[str, Path | None], folders: Sequence[Path]
) -> Findings:
    """Asks the program, whose memory is given back when it ends."""
    files = {name: path and str(path) for name, path in modules.items()}
    question = Question(experiment=experiment, modules=files)
    path = [str(PROJECT), os.environ.get("PYTHONPATH", ""), *map(str, folders)]
    run = subprocess.run(
        [sys.executable, "-m", PROGRAM],
        input=question.model_dump_json(),
        env=os.environ | {"PYTHONPATH": os.pathsep.join(filter(None, path))},
        capture_output=True,
        text=True,
        check=False,
    )
    if run.returncode:
        raise UserError(f"methods: could not be checked: {run.stderr.strip().splitlines()[-1]}")
    # A module of the user's may print something of its own when it is imported.
    return Findings.model_validate_json(run.stdout.splitlines()[-1])


def kind_file(kind: str, folders: Sequence[Path]) -> Path | None:
    """The module of a kind: ours relative to the project, the user's absolute; None: there is none.

    The user's are looked for in some folders.
    """
    if "." not in kind:
        path = Path("wsss_core", "methods", f"{kind}.py")
        return path if (PROJECT / path).is_file() else None
    relative = Path(*kind.split(".")).with_suffix(".py")
    found = ((folder / relative).resolve() for folder in folders)
    return next((path for path in found if path.is_file()), None)


def own_kinds() -> list[str]:
    """Names of the kinds in this package, sorted: its modules that have a `Config`."""
    modules = (PROJECT / "wsss_core" / "methods").glob("[a-z]*.py")
    return sorted(
        path.stem for path in modules if "\nclass Config(" in path.read_text(encoding="utf-8")
    )


def _key(experiment: Experiment, modules: Mapping[str, Path | None]) -> str:
    """Digest of all that plans follow from."""
    files = sorted({str(path) for path in modules.values() if path is not None})
    parts = [
        experiment.model_dump_json(),
        code_digest(PROGRAM_FILE, modules=tuple(files)),
        *(f"{name} {metadata.version(name)}" for name in LIBRARIES),
        json.dumps({name: str(path) for name, path in modules.items()}),
    ]
    return hashlib.sha256("\n".join(parts).encode()).hexdigest()[:32]
