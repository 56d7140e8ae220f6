"""A digest that identifies a prepared dataset in model cards and dataset cards."""

import hashlib
from pathlib import Path

TABLES = ("classes.txt", "labels.csv", "image_digests.csv")


def dataset_digest(dataset: Path) -> str:
    """Computes the SHA-256, in hex, of the tables with classes, labels and image digests."""
    digest = hashlib.sha256()
    for path in (dataset / name for name in TABLES):
        if path.is_file():  # a dataset that was not prepared by the workflow has no digests
            digest.update(f"{path.name} {path.stat().st_size}\n".encode())
            digest.update(path.read_bytes())
    return digest.hexdigest()
