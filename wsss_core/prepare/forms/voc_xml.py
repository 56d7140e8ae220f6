"""Reads VOC's XML with a user's own classes, from LabelImg or CVAT; names of objects are tags."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from wsss_core.prepare.findings import Findings
from wsss_core.prepare.labelling import Labelling, Row, collect
from wsss_core.prepare.voc.annotations import AnnotationError, object_names

FOLDERS = ("Annotations", "annotations", "images", ".")


def find_xml(root: Path) -> list[Path]:
    """Lists the annotations in the first of the usual folders that has some."""
    for folder in FOLDERS:
        if found := sorted((root / folder).glob("*.xml")):
            return [path for path in found if not path.name.startswith(".")]
    return []


def read_voc_xml(paths: Sequence[Path], findings: Findings) -> Labelling:
    """Reads the tags; each annotation belongs to the picture with the same name.

    Args:
        paths: The annotation files.
        findings: Receives the mistakes.
    """
    rows = []
    for path in paths:
        try:
            names = object_names(path.read_bytes())
        except AnnotationError as error:
            findings.error(f"{path} {error}; expected VOC's XML")
            continue
        rows.append(Row(f"{path.stem}.jpg", tuple(sorted(names)), str(path)))
    return collect("VOC's XML", paths[0].parent, rows, findings)
