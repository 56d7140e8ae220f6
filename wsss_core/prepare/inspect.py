"""Checks every image and mask of a source, and reports the problems."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from functools import partial

import numpy as np
from numpy.typing import NDArray

from wsss_core.data.images import IGNORE_INDEX
from wsss_core.prepare.findings import Findings
from wsss_core.prepare.place_image import EXPECTED, Item, Placing, Prepared, prepare_item
from wsss_core.prepare.read_mask_file import has_objects_at_255
from wsss_core.prepare.source import Source
from wsss_core.runtime.errors import name_some
from wsss_core.runtime.parallel_map import parallel_map
from wsss_core.runtime.progress import progress

PLURALS = {"mask index": "mask indices"}


def prepare_items(
    source: Source, placing: Placing, *, workers: int, findings: Findings
) -> list[Prepared]:
    """Decodes and checks all images and masks, and places them in the prepared dataset if asked.

    Args:
        source: The source of the images and masks.
        placing: How and where to place them; without a staging directory they are only checked.
        workers: Number of processes that decode images.
        findings: Receives the problems.

    Returns:
        The outcome for each image, sorted by id.
    """
    items = [
        Item(image_id, source.images[image_id], source.masks.get(image_id))
        for image_id in sorted(source.images)
    ]
    prepare = partial(prepare_item, placing=placing)
    # For a handful of images, starting processes would take longer than the work.
    outcomes = (
        parallel_map(prepare, items, processes=workers) if workers > 1 else map(prepare, items)
    )
    has_classes = not findings.errors
    prepared = list(progress(outcomes, total=len(items), desc="checking images"))
    problems = [outcome.problem for outcome in prepared if outcome.problem]
    for text in problem_lines([p for p in problems if has_classes or p[0] != "mask index"]):
        findings.error(text)
    if has_classes:
        check_unlabelled(source, findings)
        check_masks(source, prepared, findings)
    return prepared


def mask_indices(source: Source) -> NDArray[np.uint8]:
    """Computes the new class index for each index in the source's masks.

    Args:
        source: The source, with its chosen classes and the classes of its masks.

    Returns:
        uint8 [C], background first: the new index, or 255 for a class that was not chosen. Images
        whose label has such a class were removed before. The index 255 is therefore needed only if
        a mask disagrees with its label.
    """
    indices = {name: index for index, name in enumerate(source.class_names, start=1)}
    kept = [indices.get(name, IGNORE_INDEX) for name in source.mask_classes]
    return np.array([0, *kept], dtype=np.uint8)


def objects_are_at_255(source: Source) -> bool:
    """Tells whether masks of a single class hold 0 and 255, as labelling tools write them."""
    if len(source.mask_classes) != 1:
        return False
    found = False
    for image_id in sorted(source.masks):
        answer = has_objects_at_255(source.masks[image_id], image_id=image_id)
        if answer is False:
            return False
        found = found or answer is True
    return found


def problem_lines(problems: Sequence[tuple[str, str]]) -> Iterable[str]:
    """Yields one line per kind of problem."""
    for kind, expected in EXPECTED.items():
        details = [detail for problem_kind, detail in problems if problem_kind == kind]
        if details:
            what = kind if len(details) == 1 else PLURALS.get(kind, f"{kind}s")
            yield (f"{len(details)} bad {what}: {name_some(details, limit=3)}; expected {expected}")


def check_unlabelled(source: Source, findings: Findings) -> None:
    """Warns of images without a label, which are allowed but may be a mistake."""
    unlabelled = [image_id for image_id, label in source.labels.items() if not any(label)]
    if unlabelled:
        findings.warn(
            f"{len(unlabelled)} of {len(source.labels)} images have no label and count as pure "
            f"background: {name_some(unlabelled)}"
        )


def check_masks(source: Source, prepared: Sequence[Prepared], findings: Findings) -> None:
    """Compares the classes in masks with the labels of their images.

    If masks ignore pixels but none of them shows a class, they are refused: their evaluation would
    count only background.
    """
    classes = {p.image_id: p.shown - {0, IGNORE_INDEX} for p in prepared if p.shown is not None}
    ignored = [p.image_id for p in prepared if p.shown is not None and IGNORE_INDEX in p.shown]
    if ignored and not any(classes.values()):
        findings.error(
            f"{len(ignored)} masks have no other values than 0 and 255, which is ignored: "
            f"{name_some(ignored)}; expected k for the k-th of {len(source.class_names)} classes"
        )
        return
    named = {
        image_id: {k for k, value in enumerate(source.labels[image_id], start=1) if value}
        for image_id in classes
        if image_id in source.labels
    }
    if empty := [i for i, own in named.items() if own and not own & classes[i]]:
        findings.warn(
            f"{len(empty)} masks show none of the classes of their labels: {name_some(empty)}"
        )
    if more := [i for i, own in named.items() if classes[i] - own and i not in empty]:
        findings.warn(
            f"{len(more)} masks show a class that their labels do not have: {name_some(more)}"
        )
