"""The version of this package, and the commit of its code."""

import shutil
import subprocess
import tomllib
from importlib import metadata
from pathlib import Path

DISTRIBUTION = "wsss-core"
PYPROJECT = Path(__file__).resolve().parents[2] / "pyproject.toml"


def package_version() -> str:
    """The version in pyproject.toml, or of the installed package where there is no such file.

    It is read, not imported: a constant would be part of the code whose change trains anew. The
    file comes first: what pip noted of a package that it only links to stays as it was.
    """
    if PYPROJECT.is_file():
        project = tomllib.loads(PYPROJECT.read_text(encoding="utf-8")).get("project", {})
        if project.get("name") == DISTRIBUTION:  # not one that stands beside other packages
            return str(project["version"])
    try:
        return metadata.version(DISTRIBUTION)
    except metadata.PackageNotFoundError:
        return "unknown"


def code_version() -> str:
    """The commit of the code, marked where files differ from it; else the package's version."""
    command = ["git", "-C", str(PYPROJECT.parent), "describe", "--always", "--dirty", "--tags"]
    if shutil.which("git") and (PYPROJECT.parent / ".git").exists():  # and not of what it lies in
        run = subprocess.run(command, capture_output=True, text=True, check=False)
        if run.returncode == 0:
            return run.stdout.strip()
    return package_version()
