"""Paths in the config, which Snakemake reads too."""

from typing import Annotated

from pydantic import AfterValidator


def plain_path(path: str) -> str:
    """A path as Snakemake and programs take it for one: `-pets`, no option, becomes `./-pets`.

    Raises:
        ValueError: It has braces, which are wildcards to Snakemake.
    """
    if "{" in path or "}" in path:
        raise ValueError(f"got {path!r}; expected a path without braces, which Snakemake reads")
    return f"./{path}" if path.startswith("-") else path


PathText = Annotated[str, AfterValidator(plain_path)]
