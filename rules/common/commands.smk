"""What jobs are told on their command lines."""

import hashlib
import json

from wsss_core.workflow.code_digest import code_digest


def section_json(key, exclude=None):
    """A section of the config by its key, with all defaults filled in, for a command line."""
    section = EXPERIMENT
    for name in key.split("."):
        section = getattr(section, name)
    return to_json(section.model_dump(mode="json", exclude=exclude))


def to_json(value):
    return json.dumps(value, sort_keys=True, separators=(",", ":"))


def stage_code(script):
    """Digest of all our code that runs with a script, so that a change of it reruns the stage."""
    return code_digest(f"workflow_scripts/{script}.py")


def figure_file_digest(name):
    """The same of a template or table in figures, which is no code that a script imports."""
    path = Path(workflow.basedir, "wsss_core/figures", name)
    return hashlib.sha256(path.read_bytes()).hexdigest()[:16]


def code_of_method(script, method):
    """The same with the module of the method's kind, which the script finds by its name."""
    return code_digest(f"workflow_scripts/{script}.py", modules=(METHODS[method].module,))


def cli_options(files, *names):
    """Those of some named files that a job has, as options of a command line."""
    words = []
    for name in names:
        paths = files.get(name, [])
        if paths:
            words += [f"--{name.replace('_', '-')}"]
            words += [paths] if isinstance(paths, str) else paths
    return words


def num_shards(wildcards):
    return shards_in(wildcards.part)
