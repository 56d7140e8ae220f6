"""Image-level labels from the bounding box annotations of PASCAL VOC."""

from __future__ import annotations

import xml.etree.ElementTree as ET
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import NoReturn

from wsss_core.runtime.errors import UserError, name_some
from wsss_core.runtime.progress import progress


class AnnotationError(Exception):
    """Reports what is wrong with an annotation; the message does not name the file."""


def read_annotations(
    directory: Path, image_ids: Iterable[str], *, class_names: Sequence[str]
) -> dict[str, tuple[int, ...]]:
    """Reads the image-level labels of some images.

    Args:
        directory: Folder of a devkit with the annotations <id>.xml.
        image_ids: The images; each must have an annotation.
        class_names: The classes, in order.

    Returns:
        By image id: 0 or 1 per class.

    Raises:
        UserError: A file is not a valid annotation.
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
    """Finds the classes of which an annotation has an object, difficult objects included.

    The published labels also include difficult objects, and so do the masks. Parts of a person have
    names too, but they are not objects.

    Args:
        xml: Content of the annotation file.
        class_names: The classes, in order.

    Returns:
        0 or 1 per class.
    """
    names = object_names(xml)
    if unknown := sorted(names.difference(class_names)):
        raise AnnotationError(f"has an object {unknown[0]!r}, which is no class of VOC")
    return tuple(int(name in names) for name in class_names)


def object_names(xml: bytes) -> set[str]:
    """Returns the names of all objects of an annotation.

    Raises:
        AnnotationError: The content is not an annotation.
    """
    try:
        root = ET.fromstring(xml, parser=ET.XMLParser(target=_NoDoctype()))
    except ET.ParseError as error:
        raise AnnotationError(f"cannot be read ({error})") from None
    except (LookupError, ValueError) as error:  # unknown or wrong encoding
        raise AnnotationError(f"cannot be read ({error})") from None
    if root.tag != "annotation":
        raise AnnotationError(f"starts with <{root.tag}>, not <annotation>")
    return {(item.findtext("name") or "").strip() for item in root.iter("object")}


class _NoDoctype(ET.TreeBuilder):
    """Refuses a document type before its entities are read: they could read files or grow huge."""

    def doctype(self, name: str, public: str | None, system: str | None) -> NoReturn:
        raise AnnotationError("has a document type")
