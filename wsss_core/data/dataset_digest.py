"""One digest of a prepared dataset, by which cards name it."""

import hashlib
from pathlib import Path

TABLES = ("classes.txt", "labels.csv", "image_digests.csv")


def dataset_digest(dataset: Path) -> str:
    """SHA-256 of the tables of a prepared dataset, in hex: classes, labels, digests of images."""
    digest = hashlib.sha256()
    for path in (dataset / name for name in TABLES):
        if path.is_file():  # a dataset that was not prepared by the workflow has no digests
            digest.update(f"{path.name} {path.stat().st_size}\n".encode())
            digest.update(path.read_bytes())
    return digest.hexdigest()
