"""Image-level labels from the bounding box annotations of PASCAL VOC."""

from __future__ import annotations

import xml.etree.ElementTree as ET
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import NoReturn

from wsss_core.runtime.errors import UserError, name_some
from wsss_core.runtime.progress import progress


class AnnotationError(Exception):
    """An annotation that cannot be used: what is wrong with it, without its name."""


def read_annotations(
    directory: Path, image_ids: Iterable[str], *, class_names: Sequence[str]
) -> dict[str, tuple[int, ...]]:
    """Reads the image-level labels of some images.

    Args:
        directory: Annotations of a devkit: <id>.xml.
        image_ids: Which images; all must have a file.
        class_names: The classes, in order.

    Returns:
        0 or 1 per class, by id.

    Raises:
        UserError: Any file is not an annotation.
    """
    labels: dict[str, tuple[int, ...]] = {}
    problems: list[str] = []
    for image_id in progress(sorted(image_ids), desc="reading annotations"):
        path = directory / f"{image_id}.xml"
        try:
            labels[image_id] = image_label(path.read_bytes(), class_names=class_names)
        except AnnotationError as error:
            problems.append(f"{path} {error}")
    if problems:
        plural = "s" if len(problems) > 1 else ""
        raise UserError(
            f"{len(problems)} bad annotation{plural}: {name_some(problems, limit=3)}; "
            "expected VOC's XML: unpack it again"
        )
    return labels


def image_label(xml: bytes, *, class_names: Sequence[str]) -> tuple[int, ...]:
    """Says which classes an annotation has an object of, difficult objects included.

    As in the published labels: a difficult object is there all the same, and is in the masks.
    Parts of a person have names as well, but are no objects of the image.

    Args:
        xml: Content of the file.
        class_names: The classes, in order.

    Returns:
        0 or 1 per class.
    """
    names = object_names(xml)
    if unknown := sorted(names.difference(class_names)):
        raise AnnotationError(f"has an object {unknown[0]!r}, which is no class of VOC")
    return tuple(int(name in names) for name in class_names)


def object_names(xml: bytes) -> set[str]:
    """The names of all objects of an annotation.

    Raises:
        AnnotationError: It is none.
    """
    try:
        root = ET.fromstring(xml, parser=ET.XMLParser(target=_NoDoctype()))
    except ET.ParseError as error:
        raise AnnotationError(f"cannot be read ({error})") from None
    except (LookupError, ValueError) as error:  # an encoding that no one knows, or none that fits
        raise AnnotationError(f"cannot be read ({error})") from None
    if root.tag != "annotation":
        raise AnnotationError(f"is of <{root.tag}>")
    return {(item.findtext("name") or "").strip() for item in root.iter("object")}


class _NoDoctype(ET.TreeBuilder):
    """Refuses a document type before its entities are read, which could be files or grow huge."""

    def doctype(self, name: str, public: str | None, system: str | None) -> NoReturn:
        raise AnnotationError("has a document type")
