"""The shipped experiments, as the workflow reads them."""

from pathlib import Path
from typing import Any

import yaml
from snakemake.utils import update_config

from wsss_core.config.experiment import Experiment, load_experiment

ROOT = Path(__file__).parent.parent


def merged(path: str) -> dict[str, Any]:
    """Returns config.yaml, merged with another config file over it."""
    config: dict[str, Any] = yaml.safe_load((ROOT / "config.yaml").read_text())
    update_config(config, yaml.safe_load((ROOT / path).read_text()))
    return config


def paper() -> Experiment:
    """Returns the experiment of the shipped config.yaml."""
    return load_experiment(yaml.safe_load((ROOT / "config.yaml").read_text()))
