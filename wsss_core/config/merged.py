"""Merges the config files of an experiment as Snakemake and rules/common/config.smk do."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from wsss_core.config.experiment import Experiment, load_experiment
from wsss_core.config.files import read_config_file

PROJECT = Path(__file__).parents[2]
PAPER = PROJECT / "config.yaml"


def read_experiment(paths: Sequence[Path]) -> Experiment:
    """Reads config.yaml, then the chosen preset, then the user's files; later ones override.

    The keys that belong to a method's kind are not checked here (methods/plans.py).

    Args:
        paths: The user's files; later ones override earlier ones.

    Raises:
        UserError: A file is missing or is not a config, or keys are wrong: one line for each.
    """
    users = [(path, read_config_file(path)) for path in paths]
    overlay = _merged(content for _, content in users)  # Snakemake, too, merges these first
    base = read_config_file(PAPER)
    config = _merged([base, overlay])
    preset = PROJECT / "configs/presets" / f"{config.get('preset')}.yaml"
    presets = [(preset, read_config_file(preset))] if preset.is_file() else []
    config = _merged([config, *(content for _, content in presets), overlay])
    files = [(PAPER, base), *presets, *users]
    return load_experiment(config, sources=[(str(path), content) for path, content in files])


def _merged(contents: Iterable[Mapping[str, Any]]) -> dict[str, Any]:
    """Merges maps key by key. A later value that is not a map replaces an earlier one."""
    merged: dict[str, Any] = {}
    for content in contents:
        for key, value in content.items():
            before = merged.get(key)
            both = isinstance(before, Mapping) and isinstance(value, Mapping)
            merged[key] = _merged([before, value]) if both and before is not None else value
    return merged
