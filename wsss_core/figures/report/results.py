"""The runs of an experiment, and the paths of their results."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

from wsss_core.config.base import ConfigModel
from wsss_core.stages.evaluate import STAGES

# Folder of the network that is trained before each stage.
NETWORK_OF = {"cam": "classifier", "random_walk": "affinity", "segmentation": "segmenter"}


class Run(ConfigModel):
    """A run: method, seed, and the stages that it reached, in order."""

    method: str
    seed: int
    stages: tuple[str, ...]


class Results(ConfigModel):
    """The results of an experiment.

    Attributes:
        folder: The results folder, with a folder for each method.
        data: Folder of the prepared dataset.
        splits: The scored splits; the shown split is the last. Empty if there are no masks.
        shown_split: The split whose images are shown.
        shown_part: The image set of this split, as in file names.
        num_shards: Number of files or folders of this image set.
        runs: The runs in the order of the config.
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
        """The methods in the order of the config, each once."""
        return list(dict.fromkeys(run.method for run in self.runs))

    @property
    def stages(self) -> list[str]:
        """The stages that any run reached, in order."""
        return [stage for stage in STAGES if any(stage in run.stages for run in self.runs)]

    def first_run(self, method: str) -> Run:
        """Returns the first run of a method. Its images are shown."""
        return next(run for run in self.runs if run.method == method)

    def directory(self, run: Run) -> Path:
        """Returns the folder of a run."""
        return self.folder / run.method / f"seed{run.seed}"

    def scores(self, run: Run, stage: str) -> Path:
        """Returns the path of the scores of a stage."""
        return self.directory(run) / "scores" / f"{stage}.csv"

    def shards(self, run: Run, stage: str) -> list[Path]:
        """Returns the results of a stage for the shown images: score maps, or folders of masks."""
        suffix = ".npz" if stage == "cam" else ""
        return [
            self.directory(run) / stage / f"{self.shown_part}-{shard}{suffix}"
            for shard in range(self.num_shards)
        ]
