"""The digest that identifies the content of a file."""

import hashlib
from pathlib import Path


def file_digest(path: Path) -> str:
    """Computes the sha256 of a file's content, in hex."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
