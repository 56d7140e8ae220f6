"""The whole config: all sections, and what must hold between them.

Read by the workflow alone. A stage gets its own section, so it imports that section's model and
never this module.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Annotated, Any, Literal

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

# results/<name>/<method> lies beside these
RESERVED_NAMES = (
    *(IMAGENET, "archives", "benchmarks", "canny", "code", "data", "logs", "paper", "report"),
)

SHARED_NAMES = ("store", "weights", "cluster-logs")  # folders that all experiments share

Seed = Annotated[int, Field(ge=0, lt=2**31)]
SplitName = Annotated[str, Field(pattern=r"^[A-Za-z0-9_]+$", max_length=100)]
MethodName = Annotated[str, Field(pattern=r"^[A-Za-z0-9_]+$", max_length=100)]
NumShards = Annotated[int, Field(ge=1, le=10_000)]


class EvaluationConfig(ConfigModel):
    """Splits that are scored by their masks; none where there are no masks."""

    splits: tuple[SplitName, ...] = ("train", "val")

    @field_validator("splits")
    @classmethod
    def _are_distinct(cls, splits: tuple[str, ...]) -> tuple[str, ...]:
        if len(set(splits)) < len(splits):
            raise ValueError(f"got {list(splits)}; expected each split once")
        return splits


class ShardsConfig(ConfigModel):
    """Into how many jobs the images of a part are dealt at each stage without training.

    None: one for each 600 images or so.

    Attributes:
        eval: The images of the scored splits.
        train_only: The other images of train_aug; 0 says that there are none.
        test: The images of the split test, where there is one.
    """

    eval: NumShards | None = None
    train_only: int | None = Field(None, ge=0, le=10_000)
    test: NumShards | None = None


class RunConfig(ConfigModel):
    """A method that is run, with which seeds, and how far.

    Attributes:
        method: A name under `methods`.
        seeds: Each gives a run of its own.
        until: The last stage of the run.
    """

    method: str
    seeds: tuple[Seed, ...] = Field((0,), min_length=1)
    until: Literal["cam", "random_walk", "segmentation"] = "segmentation"


class Experiment(ConfigModel):
    """All sections of the config.

    Attributes:
        name: Of the folder of results; by default the dataset's, and of another preset than the
            paper's its name too.
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
        """Name of the folder of its results."""
        plain = self.dataset.name
        return self.name or (plain if self.preset == "paper" else f"{plain}-{self.preset}")


def load_experiment(
    config: Mapping[str, Any], *, sources: Sequence[tuple[str, Mapping[str, Any]]] = ()
) -> Experiment:
    """Validates a config, but for the keys that a method's kind has (methods/plans.py).

    Args:
        config: All files merged.
        sources: Name and content of each file, later ones override earlier ones; tells where a
            mistake was made.

    Raises:
        UserError: One line for each mistake, naming file and key and what was expected.
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
    """A method extends one that is not there, or itself."""

    def __init__(self, key: Key, text: str) -> None:
        super().__init__(text)
        self.key = key
        self.text = text


def with_extended(config: Mapping[str, Any]) -> dict[str, Any]:
    """The config with the values of the methods that others extend written out."""
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
    """Merges map by map, as Snakemake merges config files."""
    if not (isinstance(base, Mapping) and isinstance(changes, Mapping)):
        return changes
    return {**base, **{key: _laid_over(base.get(key), value) for key, value in changes.items()}}


def training_sections(experiment: Experiment, method: str) -> dict[str, Any]:
    """What the training of a method reads of the config, as JSON has it."""
    entry = experiment.methods[method]
    return {
        "classifier": experiment.classifier.model_dump(mode="json"),
        "method": entry.model_dump(mode="json", exclude={"extends"}),
        "canny": experiment.canny.model_dump(mode="json"),
    }


def extra_supervision(
    experiment: Experiment, plans: Mapping[str, MethodPlan], method: str, stage: str
) -> str | None:
    """What a stage has learnt from besides ImageNet and image-level labels; None: nothing.

    That is what the segmenter starts from. It reaches a classifier too, whose smoothing branch has
    its boundaries from a segmenter, and all that follows from such a classifier.

    Args:
        experiment: The whole config.
        plans: Its methods.
        method: One of them.
        stage: As in summary.csv.
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
    """Finds what each section allows for itself but not together with the others.

    Yields:
        The key and what is wrong with it.
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
    """Finds that no images would be left."""
    if not experiment.evaluation.splits and experiment.shards.train_only == 0:
        text = "got 0, and evaluation.splits is empty; expected at least 1 shard of images"
        yield ("shards", "train_only"), text


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
