"""Parts of the command lines of jobs."""

import hashlib
import json

from wsss_core.workflow.code_digest import code_digest


def section_json(key, exclude=None):
    """Returns a function that gives a config section as JSON, with all defaults.

    It is a function of the wildcards because Snakemake replaces wildcards in plain strings. A
    config section may contain text such as {method}.
    """
    section = EXPERIMENT
    for name in key.split("."):
        section = getattr(section, name)
    text = to_json(section.model_dump(mode="json", exclude=exclude))
    return lambda wildcards: text


def to_json(value):
    return json.dumps(value, sort_keys=True, separators=(",", ":"))


def stage_code(script):
    """Computes a digest of all code that a script runs; a change reruns the stage."""
    return code_digest(f"workflow_scripts/{script}.py")


def file_digest(*parts):
    """Computes a digest of a file that is not code; `parts` are the parts of its path."""
    return hashlib.sha256(Path(*parts).read_bytes()).hexdigest()[:16]


def figure_file_digest(name):
    """Computes the digest of a template or table in wsss_core/figures."""
    return file_digest(workflow.basedir, "wsss_core/figures", name)


def figure_folder_digest(name):
    """Computes the digests of all files in a folder of wsss_core/figures."""
    files = sorted(Path(workflow.basedir, "wsss_core/figures", name).iterdir())
    return " ".join(f"{path.name}:{file_digest(path)}" for path in files)


def code_of_method(script, method):
    """Computes the digest of a script with the module of a method's kind."""
    return code_digest(f"workflow_scripts/{script}.py", modules=(METHODS[method].module,))


def cli_options(files, *names):
    """Converts the values of some names, if present, to options of a command line."""
    words = []
    for name in names:
        paths = files.get(name, [])
        option = f"--{name.replace('_', '-')}"
        if isinstance(paths, str) and paths.startswith("-"):  # a value that looks like an option
            words += [f"{option}={paths}"]
        elif paths:
            words += [option, *([paths] if isinstance(paths, str) else paths)]
    return words


def num_shards(wildcards):
    return shards_in(wildcards.part)
