"""Making a prepared dataset of any source: every image checked, upright, RGB, with digests."""

from __future__ import annotations

import csv
import sys
from collections.abc import Iterable, Sequence
from functools import partial
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from wsss_core.data.images import IGNORE_INDEX
from wsss_core.prepare.place_image import EXPECTED, Item, Prepared, prepare_item
from wsss_core.prepare.source import Source, check_classes_trained
from wsss_core.runtime.atomic import move_into_place, staging_dir, writing_errors
from wsss_core.runtime.errors import UserError, name_some
from wsss_core.runtime.parallel_map import parallel_map
from wsss_core.runtime.progress import progress


def prepare_dataset(source: Source, output: Path, *, workers: int = 1, link: bool = True) -> None:
    """Makes a prepared dataset of what a source lists.

    Args:
        source: Its tables and files.
        output: Directory to fill with images/, masks/, splits/, labels.csv, classes.txt,
            image_digests.csv, test_digests.csv and mask_digests.csv. Nothing is written if
            anything is wrong.
        workers: Processes that decode images.
        link: Link to the files of the source that need no change; otherwise they are moved.
    """
    if output.resolve() == source.root.resolve():
        raise UserError(f"the output {output} is the source itself; expected another directory")
    check_classes_trained(source)
    with writing_errors(output), staging_dir(output) as staging:
        prepared = prepare_files(source, staging, workers=workers, link=link)
        write_tables(source, prepared, staging)
        output.mkdir(parents=True, exist_ok=True)
        for path in sorted(staging.iterdir()):
            move_into_place(path, output / path.name)
    warn_unlabelled(source)


def prepare_files(source: Source, output: Path, *, workers: int, link: bool) -> list[Prepared]:
    """Decodes, checks and places all images and masks.

    Args:
        source: Its files.
        output: Directory that gets images/ and masks/.
        workers: Processes that decode images.
        link: Link unchanged files instead of moving them.

    Returns:
        What became of each, sorted by id.
    """
    items = [
        Item(image_id, source.images[image_id], source.masks.get(image_id))
        for image_id in sorted(source.images)
    ]
    (output / "images").mkdir()
    (output / "masks").mkdir()
    prepare = partial(prepare_item, output=output, new_index=mask_indices(source), link=link)
    # Starting processes takes longer than a handful of images.
    outcomes = (
        parallel_map(prepare, items, processes=workers) if workers > 1 else map(prepare, items)
    )
    prepared = list(progress(outcomes, total=len(items), desc="checking images"))
    raise_problems([outcome.problem for outcome in prepared if outcome.problem])
    return prepared


def mask_indices(source: Source) -> NDArray[np.uint8]:
    """Says what becomes of each index in the source's masks.

    Args:
        source: Its classes, and those of its masks.

    Returns:
        uint8 [C], background first: the new index, or ignored where the class was not chosen. An
        image that shows such a class is not there, unless its mask and its label disagree.
    """
    indices = {name: index for index, name in enumerate(source.class_names, start=1)}
    kept = [indices.get(name, IGNORE_INDEX) for name in source.mask_classes]
    return np.array([0, *kept], dtype=np.uint8)


def raise_problems(problems: Sequence[tuple[str, str]]) -> None:
    """Raises one UserError for all problems of the first kind there is, if there is any."""
    for kind, expected in EXPECTED.items():
        details = [detail for problem_kind, detail in problems if problem_kind == kind]
        if not details:
            continue
        others = len(problems) - len(details)
        more = f" ({others} problems of other kinds)" if others else ""
        plural = "s" if len(details) > 1 else ""
        raise UserError(
            f"{len(details)} bad {kind}{plural}: {name_some(details, limit=3)}; "
            f"expected {expected}{more}"
        )


def write_tables(source: Source, prepared: Sequence[Prepared], output: Path) -> None:
    """Writes classes, labels, splits and digests: sorted, the same bytes for the same content."""
    _write_lines(output / "classes.txt", source.class_names)
    (output / "splits").mkdir()
    for split, image_ids in source.splits.items():
        _write_lines(output / "splits" / f"{split}.txt", image_ids)
    labels = ([image_id, *label] for image_id, label in sorted(source.labels.items()))
    _write_csv(output / "labels.csv", ["image", *source.class_names], labels)
    # Images that are only segmented have a file of their own: as they come and go, nothing that was
    # learnt from the others is affected.
    for name, labelled in (("image_digests.csv", True), ("test_digests.csv", False)):
        images = (
            [p.image_id, p.image_digest]
            for p in prepared
            if (p.image_id in source.labels) == labelled
        )
        _write_csv(output / name, ["image", "sha256"], images)
    masks = ([p.image_id, p.mask_digest] for p in prepared if p.mask_digest)
    _write_csv(output / "mask_digests.csv", ["image", "sha256"], masks)


def warn_unlabelled(source: Source) -> None:
    """Says on stderr how many images have no label: allowed, but perhaps not intended."""
    unlabelled = [image_id for image_id, label in source.labels.items() if not any(label)]
    if unlabelled:
        sys.stderr.write(
            f"warning: {len(unlabelled)} of {len(source.labels)} images have no label and count "
            f"as pure background: {name_some(unlabelled)}\n"
        )


def _write_lines(path: Path, lines: Iterable[str]) -> None:
    path.write_text("".join(f"{line}\n" for line in lines), encoding="utf-8")


def _write_csv(path: Path, header: Sequence[str], rows: Iterable[Sequence[object]]) -> None:
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(header)
        writer.writerows(rows)
