"""Checks all keys of all methods before any job runs, and tells the workflow what each needs.

The check imports the kinds with torch, and timm to know the stages of backbones. This takes seconds
and a gigabyte of memory at each start of Snakemake. So a separate program does it (check.py), and
its result is cached until a section that it reads, the code or one of these libraries changes.
"""

from __future__ import annotations

import hashlib
import os
import subprocess
import sys
from collections.abc import Mapping, Sequence
from importlib import metadata
from pathlib import Path
from typing import Any

from pydantic import TypeAdapter

from wsss_core.config.affinity import AffinityConfig
from wsss_core.config.base import ConfigModel
from wsss_core.config.canny import CannyConfig
from wsss_core.config.classifier import ClassifierConfig
from wsss_core.config.experiment import Experiment
from wsss_core.config.methods import MethodEntry, MethodPlan
from wsss_core.config.mistakes import Key, mistakes
from wsss_core.config.segment import SegmentConfig
from wsss_core.config.segmenter import SegmenterConfig
from wsss_core.runtime.atomic import atomic_file
from wsss_core.runtime.errors import UserError
from wsss_core.workflow.code_digest import PROJECT, code_digest

PLANS = TypeAdapter(dict[str, MethodPlan])
LIBRARIES = ("pydantic", "timm", "torch")
# Its imports take half the time without garbage collection, see workflow_scripts/__init__.py.
PROGRAM = "import gc; gc.disable(); from wsss_core.methods.check import run; run()"
PROGRAM_FILE = "wsss_core/methods/check.py"

Problem = tuple[Key, str]


class Question(ConfigModel):
    """Input of the program: the sections of the config that it reads, and files of kinds.

    It has no other sections, so a cached result stays valid when one of those changes.

    Attributes:
        modules: The file of the kind of each method.
    """

    methods: dict[str, MethodEntry]
    canny: CannyConfig
    classifier: ClassifierConfig
    affinity: AffinityConfig
    segmenter: SegmenterConfig
    segment: SegmentConfig
    modules: dict[str, str | None]


class Findings(ConfigModel):
    """Output of the program: plans, or mistakes by key."""

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
        experiment: The experiment. Everything but the keys of kinds is checked already.
        folders: Folders to search for the user's kinds: those of the config files.
        memory: Folder of the cache.
        sources: Name and content of each config file, see `load_experiment`.

    Returns:
        The plan of each method, by name.

    Raises:
        UserError: There are mistakes. Each has a line with the file, the key and what was expected.
    """
    question = _question(experiment, folders)
    remembered = memory / f"{_key(question)}.json"
    if remembered.is_file():
        return PLANS.validate_json(remembered.read_bytes())
    findings = _find(question, folders)
    if findings.problems:
        raise UserError(mistakes(findings.problems, sources))
    try:
        with atomic_file(remembered) as temporary:
            temporary.write_bytes(PLANS.dump_json(findings.plans))
    except (OSError, UserError):
        pass  # the folder is read-only, so nothing is cached
    return findings.plans


def _question(experiment: Experiment, folders: Sequence[Path]) -> Question:
    modules = {name: kind_file(method.kind, folders) for name, method in experiment.methods.items()}
    return Question(
        methods=experiment.methods,
        canny=experiment.canny,
        classifier=experiment.classifier,
        affinity=experiment.affinity,
        segmenter=experiment.segmenter,
        segment=experiment.segment,
        modules={name: path and str(path) for name, path in modules.items()},
    )


def _find(question: Question, folders: Sequence[Path]) -> Findings:
    """Runs the program. Its memory is free again when it ends."""
    path = [str(PROJECT), os.environ.get("PYTHONPATH", ""), *map(str, folders)]
    run = subprocess.run(
        [sys.executable, "-c", PROGRAM],
        input=question.model_dump_json(),
        env=os.environ | {"PYTHONPATH": os.pathsep.join(filter(None, path))},
        capture_output=True,
        text=True,
        check=False,
    )
    if run.returncode:
        raise UserError(f"methods: could not be checked: {run.stderr.strip().splitlines()[-1]}")
    # A user's module may print other lines when it is imported.
    return Findings.model_validate_json(run.stdout.splitlines()[-1])


def kind_file(kind: str, folders: Sequence[Path]) -> Path | None:
    """Finds the module file of a kind.

    Args:
        kind: Name of a kind, or the dotted path of a user's module.
        folders: Folders to search for a user's module, in this order.

    Returns:
        The path: relative to the project, or absolute for a user's module. None: not found.
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


def _key(question: Question) -> str:
    """Computes the cache key: a digest of everything that plans depend on."""
    files = sorted({path for path in question.modules.values() if path is not None})
    parts = [
        question.model_dump_json(),
        code_digest(PROGRAM_FILE, modules=tuple(files)),
        *(f"{name} {metadata.version(name)}" for name in LIBRARIES),
    ]
    return hashlib.sha256("\n".join(parts).encode()).hexdigest()[:32]
