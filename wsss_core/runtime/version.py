"""The version of this package, and the commit of its code."""

import shutil
import subprocess
import tomllib
from importlib import metadata
from pathlib import Path

DISTRIBUTION = "wsss-core"
PYPROJECT = Path(__file__).resolve().parents[2] / "pyproject.toml"


def package_version() -> str:
    """Returns the version in pyproject.toml, or else that of the installed package.

    The version is read from a file. A Python constant would be part of the code digests, and a new
    version would repeat all trainings. pyproject.toml is read first, because pip does not update
    the version of a package in editable mode.
    """
    if PYPROJECT.is_file():
        project = tomllib.loads(PYPROJECT.read_text(encoding="utf-8")).get("project", {})
        if project.get("name") == DISTRIBUTION:  # not the file of another project
            return str(project["version"])
    try:
        return metadata.version(DISTRIBUTION)
    except metadata.PackageNotFoundError:
        return "unknown"


def code_version() -> str:
    """Returns the commit of the code, marked if files differ from it; else the version."""
    command = ["git", "-C", str(PYPROJECT.parent), "describe", "--always", "--dirty", "--tags"]
    if shutil.which("git") and (PYPROJECT.parent / ".git").exists():  # not a folder above it
        run = subprocess.run(command, capture_output=True, text=True, check=False)
        if run.returncode == 0:
            return run.stdout.strip()
    return package_version()
