"""Where the masks of a stage are, which it leaves in a directory for each shard."""

from collections.abc import Sequence
from pathlib import Path

from wsss_core.runtime.errors import UserError


def find_masks(directories: Sequence[Path]) -> dict[str, Path]:
    """Lists the mask of each image, by id, in directories of `<id>.png`."""
    for directory in directories:
        if not directory.is_dir():
            raise UserError(f"{directory}: no such directory, expected masks named <image>.png")
    return {path.stem: path for directory in directories for path in directory.glob("*.png")}
