"""The config of an experiment, merged as Snakemake and rules/common/config.smk merge it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from snakemake.common.configfile import load_configfile
from snakemake.utils import update_config
from snakemake_interface_common.exceptions import WorkflowError

from wsss_core.config.experiment import Experiment, load_experiment
from wsss_core.runtime.errors import UserError

PROJECT = Path(__file__).parents[2]


def read_experiment(paths: Sequence[Path]) -> Experiment:
    """Reads config.yaml, the preset that is chosen, and the user's files over both.

    Args:
        paths: The user's files; later ones override earlier ones.

    Raises:
        UserError: A file is missing or no config, or a key of it is wrong.
    """
    base = PROJECT / "config.yaml"
    users = [(path, _read(path)) for path in paths]
    overlay = _merged(content for _, content in users)  # Snakemake, too, merges these first
    config = _merged([_read(base), overlay])
    preset = PROJECT / "configs/presets" / f"{config.get('preset')}.yaml"
    presets = [(preset, _read(preset))] if preset.is_file() else []
    config = _merged([config, *(content for _, content in presets), overlay])
    files = [(base, _read(base)), *presets, *users]
    return load_experiment(config, sources=[(str(path), content) for path, content in files])


def _read(path: Path) -> dict[str, Any]:
    try:
        return dict(load_configfile(path))
    except OSError as error:
        raise UserError(f"{path}: {error.strerror}; expected a config file") from error
    except (WorkflowError, UnicodeDecodeError) as error:
        raise UserError(f"{path}: {error}") from error


def _merged(contents: Iterable[Mapping[str, Any]]) -> dict[str, Any]:
    merged: dict[str, Any] = {}
    for content in contents:
        update_config(merged, content)
    return merged
