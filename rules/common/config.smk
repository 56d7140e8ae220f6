"""The validated config."""

import os
import sys
from pathlib import Path

from wsss_core.config.experiment import load_experiment
from wsss_core.config.files import read_config_file
from wsss_core.methods.plans import plan_methods
from wsss_core.runtime.errors import UserError

PRESET = Path(workflow.basedir, "configs", "presets", f"{config.get('preset')}.yaml")


# What the user gives is laid over this file again. Of the preset paper there is none.
if PRESET.is_file():

    configfile: str(PRESET)


def config_sources():
    """Name and content of what the config was merged from, later ones win."""
    settings = workflow.config_settings
    preset = [PRESET] if PRESET.is_file() else []
    paths = [Path(workflow.basedir, "config.yaml"), *preset, *map(Path, settings.configfiles)]
    contents = [read_config_file(path) for path in paths]
    names = [min(os.path.relpath(path), os.path.abspath(path), key=len) for path in paths]
    return [*zip(names, contents), ("--config", dict(settings.config or {}))]


def read_experiment():
    """The whole config, and what each method comes to."""
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
    except UserError as error:  # a WorkflowError would bury the line in places of this file
        sys.exit("\n".join(f"error: {line}" for line in str(error).splitlines()))


def is_of_the_user(method):
    """Whether the kind of a method, which nothing has checked yet, is a dotted path."""
    return isinstance(method, dict) and "." in str(method.get("kind"))


# A kind of the user's is a module beside a config file, for the jobs too.
METHOD_ENTRIES = config.get("methods")
KIND_FOLDERS = [Path(path).resolve().parent for path in workflow.config_settings.configfiles]
if any(map(is_of_the_user, METHOD_ENTRIES.values() if isinstance(METHOD_ENTRIES, dict) else ())):
    sys.path += map(str, KIND_FOLDERS)
    append_path("PYTHONPATH", *KIND_FOLDERS)
    append_path("WSSS_PYTHONPATH", *KIND_FOLDERS)

EXPERIMENT, METHODS = read_experiment()
