"""What an experiment has run, and where each of its results lies."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

from wsss_core.config.base import ConfigModel
from wsss_core.stages.evaluate import STAGES

# The network that is trained before a stage, as its folder is called.
NETWORK_OF = {"cam": "classifier", "random_walk": "affinity", "segmentation": "segmenter"}


class Run(ConfigModel):
    """A method and seed, and the stages it went through, in the order they ran."""

    method: str
    seed: int
    stages: tuple[str, ...]


class Results(ConfigModel):
    """The results of an experiment.

    Attributes:
        folder: Holds a folder for each method.
        data: The prepared dataset.
        splits: That are scored, the one that is shown last; none where there are no masks.
        shown_split: Whose images are shown.
        shown_part: Its part of the images, as in the names of files.
        num_shards: Into how many files that part is split.
        runs: In the order of the config.
    """

    folder: Path
    data: Path
    splits: tuple[str, ...]
    shown_split: str
    shown_part: Literal["eval", "train_only"]
    num_shards: int
    runs: tuple[Run, ...]

    @property
    def methods(self) -> list[str]:
        """Each method once."""
        return list(dict.fromkeys(run.method for run in self.runs))

    @property
    def stages(self) -> list[str]:
        """Stages that any run went through, in the order they run."""
        return [stage for stage in STAGES if any(stage in run.stages for run in self.runs)]

    def first_run(self, method: str) -> Run:
        """The run of a method whose images are shown."""
        return next(run for run in self.runs if run.method == method)

    def directory(self, run: Run) -> Path:
        """The folder of a run."""
        return self.folder / run.method / f"seed{run.seed}"

    def scores(self, run: Run, stage: str) -> Path:
        """The scores of a stage."""
        return self.directory(run) / "scores" / f"{stage}.csv"

    def shards(self, run: Run, stage: str) -> list[Path]:
        """What a stage made of the images of the shown part: score maps, or folders of masks."""
        suffix = ".npz" if stage == "cam" else ""
        return [
            self.directory(run) / stage / f"{self.shown_part}-{shard}{suffix}"
            for shard in range(self.num_shards)
        ]
