"""The whole config: all sections, and the rules between sections.

Only the workflow and `wsss check` read it. A stage gets its own section of the config, so it
imports the model of that section and never this module.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Annotated, Any, Literal, Protocol

from pydantic import Field, ValidationError, field_validator

from wsss_core.config.affinity import AffinityConfig
from wsss_core.config.archives import ArchivesConfig
from wsss_core.config.base import ConfigModel
from wsss_core.config.cam import CamConfig
from wsss_core.config.canny import CannyConfig
from wsss_core.config.classifier import ClassifierConfig
from wsss_core.config.crf_seeds import CrfSeedsConfig
from wsss_core.config.dataset import DatasetConfig, FolderName
from wsss_core.config.methods import IMAGENET, MethodEntry, MethodPlan
from wsss_core.config.mistakes import Key, mistakes, problems_of, unknown
from wsss_core.config.paper import PaperConfig
from wsss_core.config.precision import PrecisionConfig
from wsss_core.config.random_walk import RandomWalkConfig
from wsss_core.config.segment import SegmentConfig
from wsss_core.config.segmenter import SegmenterConfig
from wsss_core.runtime.errors import UserError

# Folders in results/<name> besides those of the methods: no method may have these names.
RESERVED_NAMES = (
    *(IMAGENET, "archives", "benchmarks", "canny", "code", "data", "logs", "paper", "report"),
)

# Folders that all experiments share.
SHARED_NAMES = ("store", "weights", "cluster-logs")

Seed = Annotated[int, Field(ge=0, lt=2**31)]
SplitName = Annotated[str, Field(pattern=r"^[A-Za-z0-9_]+$", max_length=100)]
MethodName = Annotated[str, Field(pattern=r"^[A-Za-z0-9_]+$", max_length=100)]
NumShards = Annotated[int, Field(ge=1, le=10_000)]


class EvaluationConfig(ConfigModel):
    """Splits that are scored by their masks; empty if there are no masks."""

    splits: tuple[SplitName, ...] = ("train", "val")

    @field_validator("splits")
    @classmethod
    def _are_distinct(cls, splits: tuple[str, ...]) -> tuple[str, ...]:
        if len(set(splits)) < len(splits):
            raise ValueError(f"got {list(splits)}; expected each split once")
        return splits


class ShardsConfig(ConfigModel):
    """Number of parallel jobs per image set in the inference stages.

    None: one job per 600 images.

    Attributes:
        eval: For the images of the scored splits.
        train_only: For the other images of train_aug. 0: there are no others.
        test: For the images of a split test that is not scored.
    """

    eval: NumShards | None = None
    train_only: int | None = Field(None, ge=0, le=10_000)
    test: NumShards | None = None


class RunConfig(ConfigModel):
    """A method that is run with each of some seeds.

    Attributes:
        method: A name under `methods`.
        seeds: Each seed is one run.
        until: The last stage of the runs.
    """

    method: str
    seeds: tuple[Seed, ...] = Field((0,), min_length=1)
    until: Literal["cam", "random_walk", "segmentation"] = "segmentation"


class Experiment(ConfigModel):
    """All sections of the config.

    Attributes:
        name: Results go to results/<name>. None: the name of the dataset, or <dataset>-<preset>
            with another preset than paper.
        preset: paper: what most plausibly produced the tables of the paper. text: the formulas as
            they are printed. released: the released code to the letter.
        checkpoint_minutes: Minutes between checkpoints of a training.
        log_every: Number of training steps per row of the loss curve.
    """

    name: FolderName | None = None
    preset: Literal["paper", "text", "released"] = "paper"
    dataset: DatasetConfig
    archives: ArchivesConfig = ArchivesConfig()
    evaluation: EvaluationConfig = EvaluationConfig()
    shards: ShardsConfig = ShardsConfig()
    checkpoint_minutes: int = Field(10, ge=1, le=100_000)
    log_every: int = Field(10, ge=1, le=1_000_000)
    precision: PrecisionConfig = PrecisionConfig()
    runs: tuple[RunConfig, ...] = Field(min_length=1)
    methods: dict[MethodName, MethodEntry]
    canny: CannyConfig = CannyConfig()
    classifier: ClassifierConfig
    cam: CamConfig = CamConfig()
    crf_seeds: CrfSeedsConfig = CrfSeedsConfig()
    affinity: AffinityConfig
    random_walk: RandomWalkConfig = RandomWalkConfig()
    segmenter: SegmenterConfig
    segment: SegmentConfig = SegmentConfig()
    paper: PaperConfig = PaperConfig()

    @property
    def folder(self) -> str:
        """Name of the results folder: results/<folder>."""
        plain = self.dataset.name
        return self.name or (plain if self.preset == "paper" else f"{plain}-{self.preset}")


def load_experiment(
    config: Mapping[str, Any], *, sources: Sequence[tuple[str, Mapping[str, Any]]] = ()
) -> Experiment:
    """Validates a config, except for the keys that belong to a method's kind (methods/plans.py).

    Args:
        config: All files merged.
        sources: Name and content of each file, later ones override earlier ones. Used to say in
            which file a mistake is.

    Raises:
        UserError: There are mistakes. Each has a line with the file, the key and what was expected.
    """
    try:
        experiment = Experiment.model_validate(with_extended(config))
        problems = list(inconsistencies(experiment))
    except ValidationError as error:
        problems = problems_of(error, Experiment)
    except ExtendsError as error:
        problems = [(error.key, error.text)]
    if problems:
        raise UserError(mistakes(problems, sources))
    return experiment


class ExtendsError(Exception):
    """A method extends a method that does not exist, or itself."""

    def __init__(self, key: Key, text: str) -> None:
        super().__init__(text)
        self.key = key
        self.text = text


def with_extended(config: Mapping[str, Any]) -> dict[str, Any]:
    """Resolves `extends`: each method gets the values of the method that it extends."""
    methods = config.get("methods")
    if not isinstance(methods, Mapping):
        return dict(config)
    done: dict[str, Any] = {}

    def extended(name: str, path: tuple[str, ...]) -> Any:
        entry = methods[name]
        base = entry.get("extends") if isinstance(entry, Mapping) else None
        if base is None or name in done:
            return done.setdefault(name, entry)
        key: Key = ("methods", name, "extends")
        if not isinstance(base, str):
            raise ExtendsError(key, f"got {base!r}; expected the name of a method")
        if base in path:
            cycle = " -> ".join((*path[path.index(base) :], base))
            raise ExtendsError(key, f"cycle {cycle}; expected a method that does not need {name}")
        if base not in methods:
            raise ExtendsError(key, unknown("method", base, tuple(map(str, methods))))
        inherited = extended(base, (*path, base))
        return done.setdefault(name, _laid_over(inherited, entry))

    return {**config, "methods": {name: extended(name, (name,)) for name in methods}}


def _laid_over(base: Any, changes: Any) -> Any:
    """Merges `changes` over `base` key by key, as Snakemake merges config files."""
    if not (isinstance(base, Mapping) and isinstance(changes, Mapping)):
        return changes
    return {**base, **{key: _laid_over(base.get(key), value) for key, value in changes.items()}}


class TrainingSections(Protocol):
    """A config with all sections that the training of a method reads."""

    @property
    def methods(self) -> Mapping[str, MethodEntry]:
        """All methods, by name."""

    @property
    def classifier(self) -> ClassifierConfig:
        """What all methods share."""

    @property
    def canny(self) -> CannyConfig:
        """Edges for the boundary losses."""


def training_sections(config: TrainingSections, method: str) -> dict[str, Any]:
    """Returns the sections that the training of a method reads, as plain JSON values."""
    return {
        "classifier": config.classifier.model_dump(mode="json"),
        "method": config.methods[method].model_dump(mode="json", exclude={"extends"}),
        "canny": config.canny.model_dump(mode="json"),
    }


def extra_supervision(
    experiment: Experiment, plans: Mapping[str, MethodPlan], method: str, stage: str
) -> str | None:
    """Says which supervision a stage has had besides ImageNet and image-level labels.

    Such supervision comes from the initial weights of the segmenter. A smoothing branch passes it
    on: it gets its boundaries from a segmenter, so its classifier, and all that follows from this
    classifier, have had the same supervision.

    Args:
        experiment: The whole config.
        plans: Its methods.
        method: Name of a method.
        stage: As in summary.csv.

    Returns:
        segmenter.extra_supervision; None: no other supervision.
    """
    if stage.startswith("segmentation") or _has_seen_segmentations(plans, method):
        return experiment.segmenter.extra_supervision
    return None


def _has_seen_segmentations(plans: Mapping[str, MethodPlan], name: str) -> bool:
    plan = plans[name]
    if plan.boundaries is not None:
        return True
    starts_from_method = isinstance(plan.init, str) and plan.init != IMAGENET
    return starts_from_method and _has_seen_segmentations(plans, str(plan.init))


def inconsistencies(experiment: Experiment) -> Iterator[tuple[Key, str]]:
    """Finds values that are valid in their own section but do not agree with another section.

    Yields:
        The key, and what is wrong with its value.
    """
    methods = experiment.methods
    for name in methods:
        if name in RESERVED_NAMES:
            yield ("methods", name), f"{name!r} is taken; expected another name for a method"
    folders: dict[Key, str | None] = {
        ("name",): experiment.name,
        ("dataset", "name"): experiment.dataset.name,
    }
    for key, folder in folders.items():
        if folder in SHARED_NAMES:
            yield key, f"{folder!r} is taken; expected another name for a folder of results"
    yield from _no_shards(experiment)
    yield from _other_backbone(experiment)
    done: set[tuple[str, int]] = set()
    for index, run in enumerate(experiment.runs):
        if run.method not in methods:
            yield ("runs", index, "method"), unknown("method", run.method, tuple(methods))
        for seed in run.seeds:
            if (run.method, seed) in done:
                what = f"seed {seed} of {run.method} is listed twice"
                yield ("runs", index, "seeds"), f"{what}; expected each seed of a method once"
            done.add((run.method, seed))


def _no_shards(experiment: Experiment) -> Iterator[tuple[Key, str]]:
    """Finds a config without any image: no scored split, and no shard of other images."""
    if not experiment.evaluation.splits and experiment.shards.train_only == 0:
        text = "got 0, and evaluation.splits is empty; expected at least 1 shard of images"
        yield ("shards", "train_only"), text


def _other_backbone(experiment: Experiment) -> Iterator[tuple[Key, str]]:
    """Finds differences from the classifier's backbone, if the segmenter starts from it.

    `weights` must agree too: the trained weights replace them, but the image is normalised as they
    require.
    """
    if experiment.segmenter.init != "classifier":
        return
    ours, theirs = experiment.segmenter.backbone, experiment.classifier.backbone
    for key in ("name", "weights"):
        value, expected = getattr(ours, key), getattr(theirs, key)
        if value != expected:
            expected = f"{expected!r}, as in classifier.backbone, because init is 'classifier'"
            text = f"got {value!r}; expected {expected}"
            yield ("segmenter", "backbone", key), text
