"""Where the masks of a stage are, which it leaves in a directory for each shard."""

from collections.abc import Iterable
from pathlib import Path

from wsss_core.runtime.errors import UserError


def find_masks(directories: Iterable[Path], *, what: str = "mask") -> dict[str, Path]:
    """Lists the mask of each image, by id, in directories of `<id>.png`.

    Args:
        directories: Where to look, in this order, and by name in each; no image may be in two.
        what: What messages call a mask.

    Raises:
        UserError: A directory is missing, or an image has two masks.
    """
    found: dict[str, Path] = {}
    for directory in directories:
        if not directory.is_dir():
            raise UserError(f"{directory}: no such directory, expected {what}s named <image>.png")
        for path in sorted(directory.glob("*.png")):
            if path.stem in found:
                raise UserError(f"{path}: there is a {what} {found[path.stem]} already")
            found[path.stem] = path
    return found
