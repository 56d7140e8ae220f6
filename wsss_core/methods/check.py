"""Checks the methods of a config with the code of their kinds. A separate program, see plans.py."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from pydantic import ValidationError

from wsss_core.config.backbone import BackboneConfig
from wsss_core.config.classifier import ClassifierConfig
from wsss_core.config.experiment import training_sections
from wsss_core.config.methods import IMAGENET, MethodEntry, MethodPlan, references
from wsss_core.config.mistakes import Key, problems_of, unknown
from wsss_core.config.segment import SegmentConfig
from wsss_core.methods.kinds import find_kind, training_config
from wsss_core.methods.plans import Findings, Problem, Question, own_kinds
from wsss_core.models.backbone import num_stages
from wsss_core.runtime.errors import UserError, run_command


def run() -> None:
    """Runs the program: reads a `Question` from stdin and writes `Findings` to stdout."""
    run_command(_main)


def _main() -> None:
    question = Question.model_validate_json(sys.stdin.read())
    sys.stdout.write(find(question).model_dump_json() + "\n")


def find(question: Question) -> Findings:
    """Makes the plan of each method, or finds the mistakes of the config."""
    problems = tuple(_check(question))
    plans = {}
    if not problems:
        plans = {name: _plan(name, question) for name in question.methods}
        problems = (*_wrong_references(plans), *_no_crf(plans, question.segment))
    return Findings(plans=plans, problems=problems)


def _check(question: Question) -> Iterator[Problem]:
    """Finds mistakes in the keys of methods, and feature stages that a backbone does not have."""
    stages = _Stages()
    told: set[tuple[str, Key, str]] = set()
    for name, entry in question.methods.items():
        module = question.modules[name]
        for key, text in _check_method(entry, module, question.classifier, stages):
            told.add((name, key, text))
            if (entry.extends, key, text) not in told:  # report an inherited mistake only once
                yield ("methods", name, *key), text
    affinity = question.affinity
    yield from stages.lacking(("affinity", "features"), affinity.features, affinity.backbone)
    for section in ("classifier", "affinity", "segmenter"):
        backbone = getattr(question, section).backbone
        key = (section, "backbone", "frozen_stages")
        yield from stages.lacking(key, range(1, backbone.frozen_stages + 1), backbone)


def _check_method(
    entry: MethodEntry, module: str | None, shared: ClassifierConfig, stages: _Stages
) -> Iterator[Problem]:
    """Finds the mistakes in one method. Keys are relative to the method."""
    if module is None:
        yield ("kind",), _unknown_kind(entry.kind)
        return
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
    """Number of feature maps of each backbone, computed once per backbone."""

    def __init__(self) -> None:
        self.known: dict[str, int] = {}

    def lacking(
        self, key: Key, wanted: Sequence[int], backbone: BackboneConfig
    ) -> Iterator[Problem]:
        """Finds feature maps that a key names and its backbone does not have."""
        if not wanted:
            return
        try:
            most = self._number(backbone)
        except UserError:
            return  # the stage that builds the network reports this error with more context
        if not all(1 <= stage <= most for stage in wanted):
            text = f"got {list(wanted)}; expected stages 1 to {most}, which {backbone.name} has"
            yield key, text

    def _number(self, backbone: BackboneConfig) -> int:
        if backbone.name not in self.known:
            self.known[backbone.name] = num_stages(backbone)
        return self.known[backbone.name]


def _unknown_kind(kind: str) -> str:
    if "." in kind:
        path = Path(*kind.split(".")).with_suffix(".py")
        return f"unknown kind {kind!r}; expected a module {path} beside the config file"
    return unknown("kind", kind, own_kinds())


def _plan(name: str, question: Question) -> MethodPlan:
    method = training_config(training_sections(question, name)).method
    return MethodPlan(
        config=method.model_dump(mode="json"),
        init=method.init,
        boundaries=method.boundary_inputs(),
        module=str(question.modules[name]),
    )


def _wrong_references(plans: Mapping[str, MethodPlan]) -> Iterator[Problem]:
    """Finds methods that need a method that does not exist, or that need themselves."""
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


def _no_crf(plans: Mapping[str, MethodPlan], segment: SegmentConfig) -> Iterator[Problem]:
    """Finds methods that use masks after the CRF although segment.crf is null."""
    for name, plan in plans.items():
        if plan.boundaries and plan.boundaries.stage == "segmentation_crf":
            if segment.crf is None:
                key: Key = ("methods", name, *plan.boundaries.key.split(".")[:-1])
                text = "got 'segmentation_crf', but segment.crf is null; expected 'segmentation'"
                yield (*key, "boundaries_stage"), text
