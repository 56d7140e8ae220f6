"""Writes folders of small pictures, to be labelled in some form."""

from pathlib import Path

import numpy as np
from PIL import Image

from wsss_core.prepare.findings import Findings
from wsss_core.prepare.folder import read_folder
from wsss_core.prepare.source import Source


def write_picture(path: Path, *, seed: int = 0, size: tuple[int, int] = (24, 16)) -> None:
    """A picture of noise of some width and height."""
    path.parent.mkdir(parents=True, exist_ok=True)
    noise = np.random.default_rng(seed).integers(0, 256, (size[1], size[0], 3), dtype=np.uint8)
    Image.fromarray(noise).save(path)


def read(root: Path, scored_splits: tuple[str, ...] = ()) -> tuple[Source, list[str]]:
    """What a folder becomes, and the warnings."""
    findings = Findings()
    source = read_folder(root, scored_splits=scored_splits, findings=findings)
    findings.raise_errors()
    return source, findings.warnings


def tags_of(source: Source) -> dict[str, set[str]]:
    """The class names of each image."""
    return {
        image_id: {n for n, value in zip(source.class_names, label, strict=True) if value}
        for image_id, label in source.labels.items()
    }
