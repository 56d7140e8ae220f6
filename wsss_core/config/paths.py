"""Paths in the config. Snakemake reads them too, so they must be plain."""

from typing import Annotated

from pydantic import AfterValidator


def plain_path(path: str) -> str:
    """Makes a path safe on a command line: `-pets`, which looks like an option, becomes `./-pets`.

    Raises:
        ValueError: The path has braces, which Snakemake reads as wildcards.
    """
    if "{" in path or "}" in path:
        raise ValueError(f"got {path!r}; expected a path without braces, which Snakemake reads")
    return f"./{path}" if path.startswith("-") else path


PathText = Annotated[str, AfterValidator(plain_path)]
