"""The version of this package."""

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
