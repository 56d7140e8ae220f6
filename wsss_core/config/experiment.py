"""The whole config: all sections, and what must hold between them.

Read by the workflow alone. A stage gets its own section, so it imports that section's model and
never this module.
"""

from __future__ import annotations

import difflib
import types
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Annotated, Any, Literal, Union, get_args, get_origin

from pydantic import BaseModel, Field, ValidationError
from pydantic_core import ErrorDetails

from wsss_core.config.affinity import AffinityConfig
from wsss_core.config.archives import ArchivesConfig
from wsss_core.config.base import ConfigModel
from wsss_core.config.cam import CamConfig
from wsss_core.config.canny import CannyConfig
from wsss_core.config.classifier import ClassifierConfig
from wsss_core.config.crf_seeds import CrfSeedsConfig
from wsss_core.config.dataset import DatasetConfig
from wsss_core.config.init_file import INIT_TAGS
from wsss_core.config.methods import MethodConfig
from wsss_core.config.random_walk import RandomWalkConfig
from wsss_core.config.segment import SegmentConfig
from wsss_core.config.segmenter import SegmenterConfig
from wsss_core.runtime.errors import UserError

IMAGENET = "imagenet"
# results/<dataset>/<method> lies beside these
RESERVED_NAMES = (IMAGENET, "archives", "benchmarks", "canny", "code", "data", "logs", "report")

Key = tuple[str | int, ...]
Seed = Annotated[int, Field(ge=0, lt=2**31)]
SplitName = Annotated[str, Field(pattern=r"^[A-Za-z0-9_]+$")]
MethodName = Annotated[str, Field(pattern=r"^[A-Za-z0-9_]+$")]


class EvaluationConfig(ConfigModel):
    """Splits that are scored by their masks; none where there are no masks."""

    splits: tuple[SplitName, ...] = ("train", "val")


class ShardsConfig(ConfigModel):
    """Into how many jobs the images of a part are dealt at each stage without training.

    Attributes:
        eval: The images of the scored splits.
        train_only: The other images of train_aug; 0 says that there are none.
        test: The images of the split test, where there is one.
    """

    eval: int = Field(4, ge=1)
    train_only: int = Field(16, ge=0)
    test: int = Field(2, ge=1)


class RunConfig(ConfigModel):
    """A method that is run, with which seeds, and how far."""

    method: str
    seeds: tuple[Seed, ...] = Field((0,), min_length=1)
    until: Literal["cam", "random_walk", "segmentation"] = "segmentation"


class Experiment(ConfigModel):
    """All sections of the config."""

    preset: Literal["paper", "released"] = "paper"
    dataset: DatasetConfig
    archives: ArchivesConfig = ArchivesConfig()
    evaluation: EvaluationConfig = EvaluationConfig()
    shards: ShardsConfig = ShardsConfig()
    checkpoint_minutes: int = Field(10, ge=1)
    log_every: int = Field(10, ge=1)
    runs: tuple[RunConfig, ...] = Field(min_length=1)
    methods: dict[MethodName, MethodConfig]
    canny: CannyConfig = CannyConfig()
    classifier: ClassifierConfig
    cam: CamConfig = CamConfig()
    crf_seeds: CrfSeedsConfig = CrfSeedsConfig()
    affinity: AffinityConfig
    random_walk: RandomWalkConfig = RandomWalkConfig()
    segmenter: SegmenterConfig
    segment: SegmentConfig = SegmentConfig()


def load_experiment(
    config: Mapping[str, Any], *, sources: Sequence[tuple[str, Mapping[str, Any]]] = ()
) -> Experiment:
    """Validates a config.

    Args:
        config: All files merged.
        sources: Name and content of each file, later ones override earlier ones; tells where a
            mistake was made.

    Raises:
        UserError: One line for each mistake, naming file and key and what was expected.
    """
    try:
        experiment = Experiment.model_validate(config)
        problems = list(inconsistencies(experiment))
    except ValidationError as error:
        problems = [_problem(details) for details in _own_mistakes(error)]
    if problems:
        lines = (f"{_source_of(key, sources)}: {_dotted(key)}: {text}" for key, text in problems)
        raise UserError("\n".join(lines))
    return experiment


def extra_supervision(experiment: Experiment, method: str, stage: str) -> str | None:
    """What a stage has learnt from besides ImageNet and image-level labels; None: nothing.

    That is what the segmenter starts from. It reaches a classifier too, whose smoothing branch has
    its boundaries from a segmenter, and all that follows from such a classifier.

    Args:
        experiment: The whole config.
        method: One of its methods.
        stage: As in summary.csv.
    """
    if stage.startswith("segmentation") or _has_seen_segmentations(experiment.methods, method):
        return experiment.segmenter.extra_supervision
    return None


def _has_seen_segmentations(methods: Mapping[str, MethodConfig], name: str) -> bool:
    method = methods[name]
    if method.smoothing is not None:
        return True
    starts_from_method = isinstance(method.init, str) and method.init != IMAGENET
    return starts_from_method and _has_seen_segmentations(methods, str(method.init))


def inconsistencies(experiment: Experiment) -> Iterator[tuple[Key, str]]:
    """Finds what each section allows for itself but not together with the others.

    Yields:
        The key and what is wrong with it.
    """
    methods = experiment.methods
    for name, method in methods.items():
        if name in RESERVED_NAMES:
            yield ("methods", name), f"{name!r} is taken; expected another name for a method"
        for key, other in _references(name, method):
            if other not in methods:
                expected = (IMAGENET, *methods) if key[-1] == "init" else tuple(methods)
                yield key, _unknown("method", other, expected)
        if method.smoothing is not None and method.classifier != "seam":
            text = f"the classifier is {method.classifier!r}; expected 'seam', or null here"
            yield ("methods", name, "smoothing"), text
    yield from _no_shards(experiment)
    yield from _cycles(methods)
    yield from _other_backbone(experiment)
    done: set[tuple[str, int]] = set()
    for index, run in enumerate(experiment.runs):
        if run.method not in methods:
            yield ("runs", index, "method"), _unknown("method", run.method, tuple(methods))
        for seed in run.seeds:
            if (run.method, seed) in done:
                what = f"seed {seed} of {run.method} is listed twice"
                yield ("runs", index, "seeds"), f"{what}; expected each seed of a method once"
            done.add((run.method, seed))


def _references(name: str, method: MethodConfig) -> Iterator[tuple[Key, str]]:
    """Keys by which a method names another one, and the names."""
    if isinstance(method.init, str) and method.init != IMAGENET:
        yield ("methods", name, "init"), method.init
    if method.smoothing is not None:
        key = ("methods", name, "smoothing", "boundaries_from")
        yield key, method.smoothing.boundaries_from


def _no_shards(experiment: Experiment) -> Iterator[tuple[Key, str]]:
    """Finds that no images would be left."""
    if not experiment.evaluation.splits and experiment.shards.train_only == 0:
        text = "got 0, and evaluation.splits is empty; expected at least 1 shard of images"
        yield ("shards", "train_only"), text


def _cycles(methods: Mapping[str, MethodConfig]) -> Iterator[tuple[Key, str]]:
    """Finds methods that would have to be run before themselves."""
    finished: set[str] = set()

    def visit(name: str, path: tuple[str, ...]) -> Iterator[tuple[Key, str]]:
        references = {other: key for key, other in _references(name, methods[name])}
        for other, key in references.items():
            if other in path:
                cycle = " -> ".join((*path[path.index(other) :], other))
                yield key, f"cycle {cycle}; expected a method that does not need {name}"
            elif other in methods and other not in finished:
                yield from visit(other, (*path, other))
        finished.add(name)

    for name in methods:
        if name not in finished:
            yield from visit(name, (name,))


def _other_backbone(experiment: Experiment) -> Iterator[tuple[Key, str]]:
    """Finds why a segmenter that starts from the classifier cannot have its backbone.

    The weights are replaced, but how the image is normalised goes by them.
    """
    if experiment.segmenter.init != "classifier":
        return
    ours, theirs = experiment.segmenter.backbone, experiment.classifier.backbone
    for key in ("name", "weights"):
        value, expected = getattr(ours, key), getattr(theirs, key)
        if value != expected:
            text = f"got {value!r}; expected the classifier's {expected!r}, which init names"
            yield ("segmenter", "backbone", key), text


def _own_mistakes(error: ValidationError) -> Iterator[ErrorDetails]:
    """Leaves out lists that pydantic calls too short only because of a mistake in an item."""
    mistakes = error.errors(include_url=False)
    for mistake in mistakes:
        depth = len(mistake["loc"])
        parts = [
            m for m in mistakes if len(m["loc"]) > depth and m["loc"][:depth] == mistake["loc"]
        ]
        if mistake["type"] != "too_short" or not parts:
            yield mistake


def _problem(details: ErrorDetails) -> tuple[Key, str]:
    """Key and wording of a mistake that pydantic found."""
    key: Key = tuple(part for part in details["loc"] if part not in INIT_TAGS)
    if details["type"] == "extra_forbidden":
        return key, _unknown("key", str(key[-1]), _known_keys(Experiment, key[:-1]))
    if details["type"] == "missing":
        return key, "is missing; expected a value"
    if details["type"] == "too_short":
        return key, f"is too short; expected at least {details['ctx']['min_length']}"
    if details["type"] == "string_pattern_mismatch" and key[-1] == "[key]":
        key = key[:-1]
    text = details["msg"].removeprefix("Value error, ")
    if text.startswith("Input should "):
        expected = text.removeprefix("Input should ").removeprefix("be ")
        text = f"got {details['input']!r}; expected {expected}"
    return key, " ".join(text.split())


def _unknown(kind: str, name: str, expected: Iterable[str]) -> str:
    names = tuple(expected)
    close = difflib.get_close_matches(name, names, n=1)
    hint = f"did you mean {close[0]}?" if close else f"expected one of {', '.join(names)}"
    return f"unknown {kind} {name!r}; {hint}"


def _known_keys(annotation: Any, key: Key) -> tuple[str, ...]:
    """Names of the fields of the model that lies at a key below an annotation."""
    models = list(_models(annotation))
    if key and models:
        fields = [model.model_fields.get(str(key[0])) for model in models]
        return next((_known_keys(field.annotation, key[1:]) for field in fields if field), ())
    if key:
        return _known_keys(_item_type(annotation), key[1:]) if _item_type(annotation) else ()
    return tuple(name for model in models for name in model.model_fields)


def _models(annotation: Any) -> Iterator[type[BaseModel]]:
    """The models in an annotation: itself, or the members of a union, tagged or not."""
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        yield annotation
    elif get_origin(annotation) in (Union, types.UnionType):
        for member in get_args(annotation):
            yield from _models(member)
    elif get_origin(annotation) is Annotated:
        yield from _models(get_args(annotation)[0])


def _item_type(annotation: Any) -> Any:
    """Type of the values of `dict[str, T]` or `tuple[T, ...]`; None for anything else."""
    arguments = get_args(annotation)
    if get_origin(annotation) is dict:
        return arguments[1]
    return arguments[0] if get_origin(annotation) is tuple else None


def _source_of(key: Key, sources: Sequence[tuple[str, Mapping[str, Any]]]) -> str:
    """Name of the last source that has the key, or failing that the most of its parents."""
    name, best = "config", 0
    for source, content in sources:
        if (depth := _depth(content, key)) >= best:
            name, best = source, depth
    return name


def _depth(content: Any, key: Key) -> int:
    for depth, part in enumerate(key):
        is_there = (isinstance(content, Mapping) and part in content) or (
            isinstance(content, Sequence) and isinstance(part, int) and part < len(content)
        )
        if not is_there:
            return depth
        content = content[part]
    return len(key)


def _dotted(key: Key) -> str:
    return ".".join(str(part) for part in key)
