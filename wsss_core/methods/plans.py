"""What the workflow must know of each method, with every key checked before anything runs.

Kinds are modules that import torch, and to know which features a backbone has takes timm: seconds,
at each start of Snakemake. So what was found of a config is remembered, and found anew when the
config, our code or one of these libraries has changed.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Mapping, Sequence
from importlib import metadata
from pathlib import Path
from typing import Any

from pydantic import TypeAdapter, ValidationError

from wsss_core.config.backbone import BackboneConfig
from wsss_core.config.experiment import Experiment, training_sections
from wsss_core.config.methods import IMAGENET, MethodEntry, MethodPlan, references
from wsss_core.config.mistakes import Key, mistakes, problems_of, unknown
from wsss_core.runtime.atomic import atomic_file
from wsss_core.runtime.errors import UserError
from wsss_core.workflow.code_digest import PROJECT, code_digest

PLANS = TypeAdapter(dict[str, MethodPlan])
LIBRARIES = ("pydantic", "timm", "torch")
THIS = "wsss_core/methods/plans.py"

Problem = tuple[Key, str]


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
    problems = list(_check(experiment, modules))
    if problems:
        raise UserError(mistakes(problems, sources))
    plans = {name: _plan(name, experiment, str(modules[name])) for name in experiment.methods}
    problems = list(_wrong_references(plans))
    if problems:
        raise UserError(mistakes(problems, sources))
    try:
        with atomic_file(remembered) as temporary:
            temporary.write_bytes(PLANS.dump_json(plans))
    except (OSError, UserError):
        pass  # a project that cannot be written to: found anew each time
    return plans


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


def _key(experiment: Experiment, modules: Mapping[str, Path | None]) -> str:
    """Digest of all that plans follow from."""
    files = sorted({str(path) for path in modules.values() if path is not None})
    parts = [
        experiment.model_dump_json(),
        code_digest(THIS, modules=tuple(files)),
        *(f"{name} {metadata.version(name)}" for name in LIBRARIES),
        json.dumps({name: str(path) for name, path in modules.items()}),
    ]
    return hashlib.sha256("\n".join(parts).encode()).hexdigest()[:32]


def _check(experiment: Experiment, modules: Mapping[str, Path | None]) -> Iterator[Problem]:
    """Finds mistakes in what kinds ask for, and features that a backbone does not have."""
    stages = _Stages()
    told: set[tuple[str, Key, str]] = set()
    for name, entry in experiment.methods.items():
        for key, text in _check_method(entry, modules[name], experiment, stages):
            told.add((name, key, text))
            if (entry.extends, key, text) not in told:  # once, where it was made
                yield ("methods", name, *key), text
    affinity = experiment.affinity
    yield from stages.lacking(("affinity", "features"), affinity.features, affinity.backbone)
    for section in ("classifier", "affinity", "segmenter"):
        backbone = getattr(experiment, section).backbone
        key = (section, "backbone", "frozen_stages")
        yield from stages.lacking(key, range(1, backbone.frozen_stages + 1), backbone)


def _check_method(
    entry: MethodEntry, module: Path | None, experiment: Experiment, stages: _Stages
) -> Iterator[Problem]:
    """Finds what is wrong with one method, by keys below its own."""
    from wsss_core.methods.kinds import find_kind

    if module is None:
        yield ("kind",), _unknown_kind(entry.kind)
        return
    shared = experiment.classifier
    try:
        kind = find_kind(entry.kind)
    except UserError as error:
        yield ("kind",), str(error)
        return
    try:
        method = kind.Config.model_validate(entry.model_dump(mode="json", exclude={"extends"}))
        method.check_crop(shared.crop_size)
    except ValidationError as error:
        yield from problems_of(error, kind.Config)
    except ValueError as error:
        yield (), str(error)
    else:
        for key, wanted in method.feature_stages().items():
            yield from stages.lacking(tuple(key.split(".")), wanted, shared.backbone)


class _Stages:
    """How many feature maps backbones have, each found once."""

    def __init__(self) -> None:
        self.known: dict[str, int] = {}

    def lacking(
        self, key: Key, wanted: Sequence[int], backbone: BackboneConfig
    ) -> Iterator[Problem]:
        """Says that a key asks for feature maps that its backbone does not have."""
        if not wanted:
            return
        try:
            most = self._number(backbone)
        except UserError:
            return  # told by the program that builds it, with what it is for
        if not all(1 <= stage <= most for stage in wanted):
            text = f"got {list(wanted)}; expected stages 1 to {most}, which {backbone.name} has"
            yield key, text

    def _number(self, backbone: BackboneConfig) -> int:
        from wsss_core.models.backbone import num_stages

        if backbone.name not in self.known:
            self.known[backbone.name] = num_stages(backbone)
        return self.known[backbone.name]


def _unknown_kind(kind: str) -> str:
    if "." in kind:
        path = Path(*kind.split(".")).with_suffix(".py")
        return f"unknown kind {kind!r}; expected a module {path} beside the config file"
    ours = sorted(
        path.stem
        for path in (PROJECT / "wsss_core" / "methods").glob("[a-z]*.py")
        if "class Config(" in path.read_text(encoding="utf-8")
    )
    return unknown("kind", kind, ours)


def _plan(name: str, experiment: Experiment, module: str) -> MethodPlan:
    from wsss_core.methods.kinds import training_config

    method = training_config(training_sections(experiment, name)).method
    return MethodPlan(
        config=method.model_dump(mode="json"),
        init=method.init,
        boundaries=method.boundary_inputs(),
        module=module,
    )


def _wrong_references(plans: Mapping[str, MethodPlan]) -> Iterator[Problem]:
    """Finds methods that need one that is not there, or themselves."""
    finished: set[str] = set()

    def visit(name: str, path: tuple[str, ...]) -> Iterator[Problem]:
        for word, other in references(plans, name).items():
            key: Key = ("methods", name, *word.split("."))
            if other not in plans:
                expected = (IMAGENET, *plans) if word == "init" else tuple(plans)
                yield key, unknown("method", other, expected)
            elif other in path:
                cycle = " -> ".join((*path[path.index(other) :], other))
                yield key, f"cycle {cycle}; expected a method that does not need {name}"
            elif other not in finished:
                yield from visit(other, (*path, other))
        finished.add(name)

    for name in plans:
        if name not in finished:
            yield from visit(name, (name,))
