"""What jobs are told on their command lines."""

import hashlib
import json

from wsss_core.workflow.code_digest import code_digest


def section_json(key, exclude=None):
    """A section of the config by its key, with all defaults filled in, for a command line.

    It is a function of the wildcards since Snakemake fills in wildcards in a plain text, such as
    the {method} that a text of the config may have.
    """
    section = EXPERIMENT
    for name in key.split("."):
        section = getattr(section, name)
    text = to_json(section.model_dump(mode="json", exclude=exclude))
    return lambda wildcards: text


def to_json(value):
    return json.dumps(value, sort_keys=True, separators=(",", ":"))


def stage_code(script):
    """Digest of all our code that runs with a script, so that a change of it reruns the stage."""
    return code_digest(f"workflow_scripts/{script}.py")


def file_digest(*parts):
    """Digest of a file of ours that is no code; its path is given in parts."""
    return hashlib.sha256(Path(*parts).read_bytes()).hexdigest()[:16]


def figure_file_digest(name):
    """The same of a template or table in figures."""
    return file_digest(workflow.basedir, "wsss_core/figures", name)


def figure_folder_digest(name):
    """The same of all files in a folder of figures."""
    files = sorted(Path(workflow.basedir, "wsss_core/figures", name).iterdir())
    return " ".join(f"{path.name}:{file_digest(path)}" for path in files)


def code_of_method(script, method):
    """The same with the module of the method's kind, which the script finds by its name."""
    return code_digest(f"workflow_scripts/{script}.py", modules=(METHODS[method].module,))


def cli_options(files, *names):
    """Those of some named files that a job has, as options of a command line."""
    words = []
    for name in names:
        paths = files.get(name, [])
        option = f"--{name.replace('_', '-')}"
        if isinstance(paths, str) and paths.startswith("-"):  # a value, and no option
            words += [f"{option}={paths}"]
        elif paths:
            words += [option, *([paths] if isinstance(paths, str) else paths)]
    return words


def num_shards(wildcards):
    return shards_in(wildcards.part)
