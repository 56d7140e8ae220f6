"""Reads and validates the config."""

import os
import sys
from pathlib import Path

from wsss_core.config.experiment import load_experiment
from wsss_core.config.files import read_config_file
from wsss_core.methods.plans import plan_methods
from wsss_core.runtime.errors import UserError

PRESET = Path(workflow.basedir, "configs", "presets", f"{config.get('preset')}.yaml")


# Snakemake merges the user's config over this file again. The preset `paper` has no file.
if PRESET.is_file():

    configfile: str(PRESET)


def config_sources():
    """Lists names and contents of the merged config sources; later ones override earlier ones."""
    settings = workflow.config_settings
    preset = [PRESET] if PRESET.is_file() else []
    paths = [Path(workflow.basedir, "config.yaml"), *preset, *map(Path, settings.configfiles)]
    contents = [read_config_file(path) for path in paths]
    names = [min(os.path.relpath(path), os.path.abspath(path), key=len) for path in paths]
    return [*zip(names, contents), ("--config", dict(settings.config or {}))]


def read_experiment():
    """Returns the validated config and the plan of each method."""
    try:
        sources = config_sources()
        experiment = load_experiment(config, sources=sources)
        plans = plan_methods(
            experiment,
            folders=KIND_FOLDERS,
            memory=Path(workflow.basedir, ".wsss_cache"),
            sources=sources,
        )
        return experiment, plans
    except UserError as error:  # a WorkflowError would add a traceback
        sys.exit("\n".join(f"error: {line}" for line in str(error).splitlines()))


def is_of_the_user(method):
    """Tells whether the kind of a method is a dotted path; the entry is not validated yet."""
    return isinstance(method, dict) and "." in str(method.get("kind"))


# A user's kind is a module beside a config file. Jobs must be able to import it, too.
METHOD_ENTRIES = config.get("methods")
KIND_FOLDERS = [Path(path).resolve().parent for path in workflow.config_settings.configfiles]
if any(map(is_of_the_user, METHOD_ENTRIES.values() if isinstance(METHOD_ENTRIES, dict) else ())):
    sys.path += map(str, KIND_FOLDERS)
    append_path("PYTHONPATH", *KIND_FOLDERS)
    append_path("WSSS_PYTHONPATH", *KIND_FOLDERS)

EXPERIMENT, METHODS = read_experiment()
